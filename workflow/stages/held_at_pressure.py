"""Whether a melt at constant pressure keeps together, in a large enough box: asked at `init`."""

from __future__ import annotations

import itertools

import numpy as np
from gsd.hoomd import Frame
from numpy.typing import NDArray

from models.force_field import ForceField
from models.oscillation import pair_energy
from user_input import UserError
from workflow.stages.system import check_box
from workflow.sweep.state_point import StatePoint

# Beads per volume, each counted as the cube of its diameter. Melts of isp at pressure 0 and kT 1
# come to 0.87 (all units charged) to 0.97 (none charged); randomly close-packed spheres to 1.22.
_USUAL_DENSITY, _DENSEST = 1.0, 1.1

# A cut at the minimum of a well leaves as much by rounding; in epsilon.
_SHALLOWEST = 1e-6


def check_held_at_pressure(
    point: StatePoint, model_density: float, frame: Frame, field: ForceField
) -> str:
    """Check a melt that is to be equilibrated at constant pressure, as it was built.

    UserError if nothing holds it together, or its box would become too small at a density that
    melts often have. Of a density that they hardly reach, or charges that alone hold it together,
    a warning is returned; else ''.
    """
    if point.pressure is None:
        return ''
    is_charged = field.is_charged and bool(np.any(frame.particles.charge))
    is_repulsive = point.pressure <= 0 and not attracts(frame, field)
    if is_repulsive and not is_charged:
        raise UserError(
            f"'grid.pressure' = {point.pressure:g}: nothing in model '{point.model}' attracts "
            '(all pair interactions are repulsive, without charges), so that the melt would '
            "evaporate. Give 'grid.density' in its place (that of the model is "
            f'{model_density:g}), or a pressure above 0.'
        )
    for density, how_often in ((_USUAL_DENSITY, 'often have'), (_DENSEST, 'hardly exceed')):
        try:
            check_box(_edges_at(density, frame, field), field)
        except UserError as error:
            message = (
                f"at 'grid.pressure' = {point.pressure:g} the box may shrink: at a density of "
                f'{density:g} bead diameters cubed per volume, which melts {how_often}, {error}'
            )
            if density == _USUAL_DENSITY:
                raise UserError(message) from None
            return message
    if is_repulsive:
        return (
            f"'grid.pressure' = {point.pressure:g}: nothing but charges attracts, and weak ones "
            "let the melt evaporate: see that its density settles, or give 'grid.density'."
        )
    return ''


def attracts(frame: Frame, field: ForceField) -> bool:
    """Check whether a pair of the beads of a melt attracts, charges apart: a well not cut off."""
    there = np.unique(frame.particles.typeid).tolist()
    pairs = itertools.combinations_with_replacement(there, 2)
    return any(pair_energy(field, i, j)[1].min() < -_SHALLOWEST for i, j in pairs)


def _edges_at(density: float, frame: Frame, field: ForceField) -> NDArray[np.float64]:
    """Scale the box to a density of the beads, each counted as the cube of its diameter."""
    edges = np.asarray(frame.configuration.box[:3], dtype=float)
    volume = float((field.sigma[frame.particles.typeid] ** 3).sum()) / density
    return np.asarray(edges * np.cbrt(volume / edges.prod()))
