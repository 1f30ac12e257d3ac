"""The melts that are measured: ISP of about a given number of beads, half of its monomers LSP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gsd.hoomd import Frame

from models.force_field import force_field
from models.melt import build_melt
from models.model import load_model
from validation.systems import Sample, relaxed_once, side_by_side
from workflow.engines.contract import Engine, State
from workflow.stages.system import System
from workflow.stages.trajectory_writer import frame_with_state
from workflow.sweep.protocol import Anneal, Protocol, PushOff
from workflow.sweep.state_point import StatePoint, as_plain_values

_MONOMERS_PER_CHAIN = 20
_DENSITY = 0.85
# Long enough that no beads overlap; what is timed does not ask for an equilibrated melt.
_SHORT = Protocol(push_off=PushOff(steps=200), anneal=Anneal(kT=1.1, steps=100, cooling_steps=50))
# Many times the error of a production run: the relaxation only has to stay stable.
_RELAX_COULOMB_ERROR = 0.05


def melt_of(beads: int, lsp: float = 0.5) -> Frame:
    """A melt as built, of about so many beads; the share `lsp` of its monomers is LSP."""
    return build_melt(
        load_model('isp'),
        composition=_composition(lsp),
        chains=_chains(beads, lsp),
        degree_of_polymerisation=_MONOMERS_PER_CHAIN,
        density=_DENSITY,
        seed=1,
    )


def melt_system(
    beads: int,
    engine: Engine,
    lsp: float = 0.5,
    coulomb_error: float = Protocol().coulomb_error,
    bjerrum_length: float = 16.0,
) -> System:
    """The melt as a system to simulate."""
    model = load_model('isp')
    values = as_plain_values(_state_point(beads, lsp, bjerrum_length))
    forces = force_field(model, bjerrum_length)
    return System(melt_of(beads, lsp), forces, engine, coulomb_error, values)


def relaxed(
    beads: int, engine: Engine, cache: Path, lsp: float = 0.5, bjerrum_length: float = 16.0
) -> State:
    """The melt without overlaps, at step 0; made once, by whichever engine comes first."""
    other = '' if bjerrum_length == 16.0 else f'_{bjerrum_length:g}'
    name = f'{100 * lsp:.0f}_{beads}{other}'
    system = melt_system(beads, engine, lsp, _RELAX_COULOMB_ERROR, bjerrum_length)
    return relaxed_once(system, _state_point(beads, lsp, bjerrum_length), cache / f'isp{name}.gsd')


def copied_melt(beads: int, copies: int, engine: Engine, cache: Path) -> tuple[System, State]:
    """The relaxed melt so many times, side by side: 8 or 64 times fill a cube."""
    system, start = melt_system(beads, engine), relaxed(beads, engine, cache)
    edge = round(copies ** (1 / 3))
    one = Sample(frame_with_state(system.topology, start), system.force_field)
    many = side_by_side(one, (edge, edge, edge))
    return replace(system, topology=many.frame), many.state


def _state_point(beads: int, lsp: float, bjerrum_length: float) -> StatePoint:
    return StatePoint(
        model='isp',
        model_hash='benchmark',
        composition=_composition(lsp),
        chains=_chains(beads, lsp),
        degree_of_polymerisation=_MONOMERS_PER_CHAIN,
        kT=1.0,
        density=_DENSITY,
        bjerrum_length=bjerrum_length,
        protocol=_SHORT,
        replica=0,
    )


def _composition(lsp: float) -> dict[str, float]:
    shares = {'LSP': lsp, 'DOPA': 1 - lsp}
    return {monomer: share for monomer, share in shares.items() if share}


def _chains(beads: int, lsp: float) -> int:
    # Three beads to a monomer, and a counter-ion to LSP.
    return max(1, round(beads / ((3 + lsp) * _MONOMERS_PER_CHAIN)))
