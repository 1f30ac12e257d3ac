"""Seeds that follow from the state point, so that a job is the same wherever it runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def derive_seed(state_point: Mapping[str, Any], *labels: str | int) -> int:
    """A seed in [1, 2^31) from a state point and what it is used for."""
    text = json.dumps([state_point, list(labels)], sort_keys=True)
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], 'big') % (2**31 - 1) + 1
