"""Ionic conductivity, and what moves the charge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.arrays import FloatArray
from analysis.estimators.estimate import Curve
from analysis.geometry.ions import BondedIons, has_ions
from analysis.geometry.topology import Topology
from analysis.observable import (
    FRACTION,
    Combination,
    Correlator,
    Panel,
    Quantity,
    TimeCorrelation,
    option,
)
from analysis.observables.charge_transport import KINDS, MOVERS, UNIT, Charges, ConductivityResult
from analysis.observables.choice_of_ions import NamedIons
from analysis.plotting import plot_curves
from analysis.sampling.motion import DRIFT_OPTION
from analysis.sampling.production import ENERGY
from analysis.sampling.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Conductivity(NamedIons, TimeCorrelation[ConductivityResult]):
    """How well ions conduct, and how far they move together."""

    name = 'conductivity'
    title = 'Ionic conductivity'
    definition = (
        'sigma = 1/(3 V kT) int <J(0) J(t)> dt of the charge current J = sum q v, from the low end '
        'of its spectrum (STACIE, Toraman et al. 2025, doi 10.1021/acs.jcim.5c01475); Einstein: '
        'slope of <|dM|^2>/(6 V kT) with dM = sum q dr; Nernst-Einstein: sum q^2 D/(V kT) over the '
        'ions; Haven ratio = Nernst-Einstein/Einstein (Murch 1982, doi '
        '10.1016/0167-2738(82)90050-9), whose inverse is the ionicity; relaxation time: of the '
        'Debye rise sigma(w) = sigma + Delta (w tau)^2/(1 + (w tau)^2), where the dielectric loss '
        'less that of the direct current has its peak. Unit of charge: that of the log; without '
        'displacements there, that of the file, or --charge-unit of it. Reduced units.'
    )
    result = ConductivityResult
    names = (
        'conductivity',
        'einstein_conductivity',
        'nernst_einstein_conductivity',
        'haven_ratio',
        'apparent_cation_transference',
        'current_relaxation_time',
        *(f'diffusion_coefficient_{each}' for each in MOVERS),
    )
    panels = (
        'conductivity',
        'Haven ratio',
        'apparent transference',
        'current relaxation time',
        'diffusion of ions',
    )
    needs_log = True

    drift: str | None = option(None, **DRIFT_OPTION)
    charge_unit: float = option(
        1.0,
        '1 e in the units of the file, as sqrt(l_B) in those of HOOMD, if no log says (default: 1)',
        type=float,
        metavar='Q',
    )

    def applies_to(self, topology: Topology) -> bool:
        return has_ions(topology)

    def correlator(self, run: Run) -> Correlator[FloatArray, ConductivityResult]:
        ions = self.named_ions(run, BondedIons.KEEP)
        return Charges(run, ions, self.charge_unit, self.drift)

    def quantities(self, result: ConductivityResult) -> list[Quantity]:
        positive, unit = Quantity.positive, 'e^2/(sigma tau epsilon)'
        sigma = Panel('conductivity', rf'$\sigma$ {UNIT}', scale='log')
        haven = Panel('Haven ratio', r'$\sigma_{NE}/\sigma$', scale='log')
        share = Panel('apparent transference', 'apparent share of the cations', limits=FRACTION)
        time = Panel('current relaxation time', r'$\tau_J$ [$\tau$]', scale='log')
        diffusion = Panel('diffusion of ions', r'$D$ [$\sigma^2/\tau$]', scale='log')
        return [
            positive('conductivity', unit, result.conductivity, sigma, 'Green-Kubo',
                     is_key=True, follows=(ENERGY,)),
            positive('einstein_conductivity', unit, result.einstein, sigma, 'Einstein'),
            positive('nernst_einstein_conductivity', unit, result.nernst_einstein,
                     sigma, 'Nernst-Einstein'),
            positive('haven_ratio', '1', result.haven_ratio, haven, 'Haven ratio', is_key=True),
            Quantity('apparent_cation_transference', '1', result.transference,
                     Combination.PROPORTION, FRACTION, share),
            positive('current_relaxation_time', 'tau', result.relaxation_time, time),
            *(
                positive(f'diffusion_coefficient_{name}', 'sigma^2/tau', estimate,
                         diffusion if name in KINDS else None, name)
                for name, estimate in result.diffusion.items()
            ),
        ]  # fmt: skip

    def curves(self, result: ConductivityResult) -> dict[str, Curve]:
        return {
            'collective': result.collective,
            'each ion by itself': result.single,
            'sigma(w)': result.spectrum,
        }

    def notes(self, result: ConductivityResult) -> list[str]:
        notes = list(result.remarks)
        if haven := result.haven_ratio.value:
            notes.append(
                f'Haven ratio sigma_NE/sigma {haven:.3g}; ionicity sigma/sigma_NE {1 / haven:.3g}'
            )
        return notes

    def plot(self, result: ConductivityResult, ax: Axes) -> None:
        curves = self.curves(result)
        plot_curves(ax, {name: curves[name] for name in ('collective', 'each ion by itself')})
