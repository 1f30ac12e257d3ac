"""Where jobs run on a cluster: what they ask for, and how that is said to Slurm."""
