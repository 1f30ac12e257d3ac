"""The model file: which beads, interactions, monomers and ions a melt is made of.

Reduced units: lengths in sigma, energies in epsilon, masses in m, charges in e. Angles are in
degrees in the file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Self

import pydantic

from models import model_checks
from models.entries import ModelEntries
from user_input import UserError, error_context, nearest_name, read_toml, validate

SHIPPED_MODELS = Path(__file__).parent


class Model(ModelEntries):
    """A coarse-grained polymer model: entries that fit together."""

    @pydantic.model_validator(mode='after')
    def _is_consistent(self) -> Self:
        model_checks.check_names(self)
        model_checks.check_pairs(self)
        model_checks.check_charges(self)
        return self

    def content_hash(self) -> str:
        """Identify the content of the model by SHA-256 in hex, whatever the layout of its file.

        Defaults count as written out; description and definitions, which change no simulation, do
        not count.
        """
        content = self.model_dump(mode='json', exclude={'description', 'definitions'})
        canonical = json.dumps(content, sort_keys=True, separators=(',', ':'))
        return hashlib.sha256(canonical.encode()).hexdigest()


def shipped_models() -> list[str]:
    """List the names of the models that come with the package."""
    return sorted(path.stem for path in SHIPPED_MODELS.glob('*.toml'))


def load_model(path_or_name: str | Path) -> Model:
    """Load the model of a path that ends in '.toml', or a shipped one by its name.

    A pair of kind 'table' may name a `file`, found from the folder of the model's, with two columns
    r and energy; the model then holds its numbers, so that its hash knows them. In the same way a
    permittivity becomes a Bjerrum length. UserError if there is no such model, or with every fault
    found in the file.
    """
    path = Path(path_or_name)
    if path.suffix != '.toml':
        name = str(path_or_name)
        if name not in shipped_models():
            raise UserError(
                f"model '{name}': no such shipped model. {nearest_name(name, shipped_models())} "
                "Give a path that ends in '.toml' to use your own file."
            )
        path = SHIPPED_MODELS / f'{name}.toml'
    content = read_toml(path)
    pairs = content.get('pairs')
    for pair in (content.get('default_pair'), *(pairs if isinstance(pairs, list) else [])):
        if isinstance(pair, dict) and pair.get('kind') == 'table' and 'file' in pair:
            with error_context(path):
                if 'r' in pair or 'energy' in pair:
                    raise UserError("a table has a 'file', or 'r' and 'energy', not both.")
                pair |= _read_table(path.parent / str(pair.pop('file')))
    model = validate(Model, content, str(path))
    if model.permittivity is None or model.units is None:
        return model
    length = model.units.bjerrum_length(model.permittivity)
    return model.model_copy(update={'bjerrum_length': length, 'permittivity': None})


def _read_table(path: Path) -> dict[str, list[float]]:
    import numpy as np

    try:
        r, energy = np.loadtxt(path, ndmin=2).T.tolist()
    except (OSError, ValueError) as error:
        raise UserError(
            f"table '{path}' cannot be read ({error}): give two columns, r in sigma and energy; "
            "a line that begins with '#' is a comment."
        ) from None
    return {'r': r, 'energy': energy}
