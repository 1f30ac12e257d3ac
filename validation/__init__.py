"""Claims about forces, ensembles and melts, each measured against something independent."""
