"""From trajectories to ion clusters and relaxation times, each number with its uncertainty."""
