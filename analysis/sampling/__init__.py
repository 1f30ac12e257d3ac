"""Which frames and rows are looked at, and one pass over them for all observables."""
