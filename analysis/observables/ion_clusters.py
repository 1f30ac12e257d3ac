"""Ion clusters along a trajectory: sizes, charges, shapes and percolation, with intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from analysis.estimators.distribution import cumulative, log_binned
from analysis.estimators.estimate import Curve, Estimate, joined
from analysis.observable import (
    FRACTION,
    NOT_NEGATIVE,
    Accumulator,
    Combination,
    Observable,
    Quantity,
    one_of,
    option,
)
from analysis.observables.choice_of_ions import ChoiceOfContacts
from analysis.observables.cluster_statistics import (
    AXES,
    PANELS,
    PERCOLATION,
    SCALARS,
    ClusterResult,
    ClusterStatistics,
    Pairs,
)
from analysis.plotting import plot_curves
from analysis.sampling.production import WATCHED
from analysis.sampling.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class IonClusters(ChoiceOfContacts, Observable[ClusterResult]):
    """Connected components of the graph of ions within the contact distance."""

    name = 'clusters'
    title = 'Ion clusters'
    definition = (
        'An ion cluster is a connected set of ions: a cation and an anion are in contact when '
        'closer than r_c, by default the first minimum of g(r) of their species. A cluster '
        'percolates along an axis when a closed path of its contacts winds round the periodic box '
        'along it (Livraghi et al. 2021, doi 10.1021/acs.jctc.1c00423), of a tilted box along the '
        'vector that leans least from it; the probability is the share of the frames in which some '
        'cluster does, in a box of one size. Ions bonded to each other are in one cluster, but no '
        'contacts, by default; a free ion has no contact. Core and shell are one ion. P(n) is the '
        'share of clusters of n ions, averaged in logarithmic bins. Lengths in sigma.'
    )
    result = ClusterResult
    panels = PANELS
    defined_by = 'contact_distances'
    names = (
        *(scalar.name for scalar in SCALARS.values()),
        *(f'percolation_probability_{axis}' for axis in (*AXES, 'any')),
        'contact_distance',
    )
    never_precise = {
        'contact_distance': 'has no interval within a run, so that no length would be enough.'
    }

    pairs: Pairs = option(
        Pairs.UNLIKE, 'ions that may be in contact (default: unlike)', **one_of(Pairs)
    )

    def begin(self, run: Run) -> Accumulator[ClusterResult]:
        ions = self.ions_of(run)
        return ClusterStatistics(run, ions, *self.distances_of(run, ions), self.pairs)

    def quantities(self, result: ClusterResult) -> list[Quantity]:
        found = [
            replace(each, estimate=_judged(result.estimates[key], result, each.limits))
            for key, each in SCALARS.items()
        ]
        for axis, estimate in result.percolation.items():
            name, label = f'percolation_probability_{axis}', f'percolation along {axis}'
            if axis == 'any':
                label = 'percolation, any axis'
            drawn = (Combination.PROPORTION, FRACTION, PERCOLATION, label, axis == 'any')
            found.append(Quantity(name, '1', _judged(estimate, result, FRACTION), *drawn))
        found = [replace(each, follows=WATCHED) for each in found]
        if len(result.contact_distances) == 1:
            (value,) = result.contact_distances.values()
            # A distance that is given is what it is.
            distance = Estimate(value, value, value)
            for g in result.pair_correlations.values():
                distance = Estimate(value, verdict=g.verdict)
            found.append(Quantity('contact_distance', 'sigma', distance, limits=NOT_NEGATIVE))
        return found

    def curves(self, result: ClusterResult) -> dict[str, Curve]:
        charges = result.charge_distribution
        size = 'cluster size $n$ [ions]'
        curves = {
            'share of ions': cumulative(
                result.weight_distribution, size, r'ions in clusters of $\geq n$'
            ),
            'share of clusters': log_binned(result.number_distribution, size, '$P(n)$'),
            'net charge': Curve(
                charges.values,
                *(charges.probability, charges.low, charges.high),
                *('net charge of the cluster [$e$, as in the file]', 'share of clusters'),
                y_scale='log',
                outside=0.0,
            ),
            'radius of gyration': result.shapes.radius_of_gyration,
            **result.against_contact_distance,
        }
        return curves | {f'g({pair})': g.curve for pair, g in result.pair_correlations.items()}

    def notes(self, result: ClusterResult) -> list[str]:
        first = result.steps[len(result.steps) - result.n_frames]
        return [
            f'{result.n_ions} ions, {result.pairs} pairs in contact',
            *result.remarks,
            *(
                f'contact distance {pair} {distance:.4g} '
                f'({"first minimum of g(r)" if pair in result.pair_correlations else "given"})'
                for pair, distance in result.contact_distances.items()
            ),
            f'{result.n_frames} of {len(result.steps)} evenly spaced frames, from step {first} to '
            f'{result.steps[-1]}',
            f'verdict: {result.verdict or result.equilibration.verdict or "equilibrated"}',
        ]

    def plot(self, result: ClusterResult, ax: Axes) -> None:
        curves = self.curves(result)
        plot_curves(ax, {'share of clusters': curves['share of clusters']})


def _judged(estimate: Estimate, result: ClusterResult, limits: tuple[float, float]) -> Estimate:
    """Add to an estimate what speaks against the whole analysis.

    Few independent values of the association speak against intervals only, a drift against all.
    """
    own = estimate.interval_verdict
    # A mean at a limit is the same in every frame: it has no interval, and nothing is wrong.
    if estimate.value in limits and estimate.low is None and estimate.n_effective == 1:
        own = ''
    verdict = joined(result.verdict, estimate.verdict)
    own = own or ('' if result.equilibration.drifts else result.equilibration.verdict)
    return replace(estimate, verdict=verdict, interval_verdict=own)
