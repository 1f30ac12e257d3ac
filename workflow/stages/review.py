"""Whether a stage that is under way has run for long enough."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from analysis.estimators.equilibration import detect_equilibration
from analysis.io.open_trajectory import open_trajectory
from analysis.observable import Combination, TimeCorrelation, analyse
from analysis.observables import OBSERVABLES
from analysis.sampling.definitions import Definitions
from analysis.sampling.production import where_energy_settles, where_ions_settle
from analysis.sampling.run import Run
from user_input import UserError
from workflow.process import keep_to_one_thread
from workflow.stages.stage_folder import StageFolder
from workflow.stages.thermo_writer import read_rows
from workflow.sweep.observables_table import ALL_OBSERVABLES, ObservablesTable

# An equilibration is believed when this share of it is past the detected start.
_EQUILIBRATED_SHARE = 0.5


def equilibrium_of(folder: StageFolder) -> tuple[bool, int]:
    """Check whether volume and energy have settled, and find the row from which on."""
    columns = read_rows(folder.thermo)
    found = [detect_equilibration(columns[name]) for name in ('volume', 'potential_energy')]
    start = max(each.start for each in found)
    settled = all(each.is_equilibrated for each in found)
    share = 1 - start / len(columns['step'])
    return settled and share >= _EQUILIBRATED_SHARE, start


def why_not_equilibrated(folder: StageFolder) -> str:
    """Say what of volume and energy has not settled, and how the volume has changed."""
    columns = read_rows(folder.thermo)
    found = {name: detect_equilibration(columns[name]) for name in ('volume', 'potential_energy')}
    share = f'settled only for less than {_EQUILIBRATED_SHARE:.0%} of the run'
    reasons = [
        f'{name.replace("_", " ")}: {each.verdict or share}'
        for name, each in found.items()
        if each.verdict or each.start > (1 - _EQUILIBRATED_SHARE) * len(columns[name])
    ]
    volume = columns['volume']
    if np.ptp(volume) > 0:
        tenth = max(1, len(volume) // 10)
        change = volume[:tenth].mean() / volume[-tenth:].mean() - 1
        reasons.append(f'the density changed by {change:+.1%} from its first to its last tenth')
    return '; '.join(reasons)


def is_precise(
    folder: StageFolder,
    precision: Mapping[str, float],
    kT: float,
    definitions: Definitions | None = None,
) -> bool:
    """Check whether each quantity has an interval as narrow as asked for; without any, no.

    `precision` is the relative half-width of the 95 % interval, by name of the quantity. Before a
    sweep has definitions, the run is measured with its own: intervals hardly depend on them.
    """
    if not precision:
        return False
    keep_to_one_thread()
    trajectory, thermo = open_trajectory(folder.trajectory), read_rows(folder.thermo)
    topology = trajectory.topology
    asked = [
        each
        for each in OBSERVABLES
        if each.source == 'sample'
        and set(each.quantity_names(topology.type_names, topology.bond_type_names)) & set(precision)
        and each.applies_to(topology)
    ]
    production = where_energy_settles(thermo, trajectory.steps)
    if any(isinstance(each, TimeCorrelation) for each in asked):
        production = where_ions_settle(production, trajectory)
    run = Run(trajectory, thermo, production, kT=kT, definitions=definitions)
    outcomes = analyse(run, asked)
    if any(outcome.refusal for outcome in outcomes.values()):
        return False  # what is there so far cannot be analysed: it is not enough
    for quantity in (q for each in asked for q in each.quantities(outcomes[each.name].result)):
        if quantity.name in precision:
            found = quantity.estimate
            width = half_width(quantity.combination, found.value, found.low, found.high)
            if found.against or not width <= precision[quantity.name]:
                return False
    return True


def half_width(
    combination: Combination, value: float | None, low: float | None, high: float | None
) -> float:
    """Halve a 95 % interval, relative to the value; inf where there is none.

    That of a proportion is absolute: its scale is 1, and a rare event has no small relative error.
    """
    if value is None or low is None or high is None:
        return math.inf
    half = (high - low) / 2
    if combination is Combination.PROPORTION:
        return half
    return half / abs(value) if value else math.inf


def check_precision_names(
    precision: Mapping[str, float],
    particle_types: Iterable[str],
    bond_types: Iterable[str],
    where: str = 'protocol.sample.precision',
    observables: ObservablesTable = ALL_OBSERVABLES,
) -> None:
    """Check the names of a table of precisions; UserError for what cannot be precise."""
    never = {name: why for each in OBSERVABLES for name, why in each.never_precise.items()}
    for each in OBSERVABLES:
        if each.source != 'sample':
            why = f'is measured in {each.source}, which is as long as its table says.'
            never |= dict.fromkeys(
                each.quantity_names(sorted(particle_types), sorted(bond_types)), why
            )
    for name in precision:
        if name in never:
            raise UserError(f"{where}: '{name}' {never[name]}")
        observables.check_quantity(name, particle_types, bond_types, where)
