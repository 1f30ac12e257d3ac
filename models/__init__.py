"""Force fields and melts as data and pure functions.

A model is a TOML file (`model.py`), resolved into the tables that an engine consumes
(`force_field.py`). A melt is drawn in independent steps: chain lengths (`chain_length.py`), monomer
sequences (`sequence.py`), their arrangement in chains, rings or stars (`architecture.py`,
`layout.py`), positions (`backbone_walk.py`, `side_chains.py`), ions and free molecules
(`free_molecules.py`), which `melt.py` puts together as a GSD frame. Nothing here knows of jobs,
engines or analysis.
"""
