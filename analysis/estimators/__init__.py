"""Numbers with honest intervals from correlated data."""
