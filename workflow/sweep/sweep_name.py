"""What a sweep may be called."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

# Of a folder.
SweepName = Annotated[str, Field(pattern=r'^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$')]
