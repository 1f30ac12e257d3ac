"""Functions over the arrays of one frame."""
