"""Files that are made from pyproject.toml, the one place where dependencies are stated."""
