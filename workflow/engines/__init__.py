"""Molecular dynamics engines behind one contract (`contract.py`), chosen in `selection.py`."""
