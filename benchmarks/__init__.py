"""Measured figures of speed, memory and overhead: `python -m benchmarks`."""
