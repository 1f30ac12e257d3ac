"""What models of other people have and these do not, with the reason."""

from __future__ import annotations

import pydantic

from user_input import StrictModel

_LEFT_OUT = {
    'dihedrals': 'beads of several atoms have no torsion that is known: write bending (angles)',
    'impropers': 'beads of several atoms have no planes to keep: write bending (angles)',
    'drude': (
        'its light particles need thermostats and time steps of their own, which the engines do '
        "not share: scale charges, or write 'solvation' for a polarisable medium"
    ),
    'crosslinks': (
        'chains that are joined make a network, which has no chains to build, to relax, or to '
        'measure: use monomers with stickers'
    ),
}


class Entry(StrictModel):
    """Base of tables in which users write terms that are left out."""

    @pydantic.model_validator(mode='before')
    @classmethod
    def _name_what_is_left_out(cls, content: object) -> object:
        for key, reason in _LEFT_OUT.items():
            if isinstance(content, dict) and key in content:
                raise ValueError(f"'{key}' cannot be simulated here: {reason}")
        return content
