"""The definitions that a job is measured with, as a file of the job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from analysis.sampling.definitions import Definitions
from analysis.serialise import from_json, to_json
from workflow.jobs import products
from workflow.jobs.files import DEFINITIONS, write_json
from workflow.jobs.products import result_product

PRODUCT = result_product('definitions')


@dataclass(frozen=True)
class JobDefinitions:
    """Definitions, and the sweep that gave them to the job."""

    sweep: str
    definitions: Definitions


def read_definitions(folder: Path) -> JobDefinitions | None:
    """Read the definitions of a job, None if it has none yet; UserError if they are damaged."""
    if not (folder / DEFINITIONS).exists():
        return None
    with products.reading(folder, PRODUCT) as path:
        found: JobDefinitions = from_json(JobDefinitions, path.read_bytes())
    return found


def write_definitions(folder: Path, given: JobDefinitions) -> None:
    """Write the definitions of a job."""
    with products.writing(folder, PRODUCT) as path:
        write_json(path, json.loads(to_json(given)))
