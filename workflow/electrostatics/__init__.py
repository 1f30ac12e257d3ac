"""Coulomb sums: direct, and the choice of a mesh."""
