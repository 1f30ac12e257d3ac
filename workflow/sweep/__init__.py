"""Sweep files, and what each of their jobs is: state point, protocol, seeds, time step."""
