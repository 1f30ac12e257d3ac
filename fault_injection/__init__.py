"""Faults on purpose: kills and damaged files, and whether anything is lost, doubled or wrong."""
