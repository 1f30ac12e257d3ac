"""Trajectories and logs on disk, and in memory."""
