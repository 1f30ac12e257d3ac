"""Partial structure factors of the ions, and the ionomer peak."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve
from analysis.estimators.inefficiency import statistical_inefficiency, varies
from analysis.estimators.intervals import (
    FEWEST_BLOCKS,
    jackknife,
    merge_blocks,
    shared_by_neighbours,
)
from analysis.estimators.local_peak import Peak, find_peak
from analysis.geometry.box import Box
from analysis.geometry.ions import BondedIons, has_ions
from analysis.geometry.topology import Snapshot, Topology
from analysis.geometry.wave_vectors import density_modes, lattice_vectors, random_lattice_vectors
from analysis.observable import NOT_NEGATIVE, Accumulator, Observable, Panel, Quantity
from analysis.observables.choice_of_ions import NamedIons
from analysis.sampling.frame_selection import spread_out
from analysis.sampling.main_peak import HIGHEST, VECTORS_PER_SHELL
from analysis.sampling.production import WATCHED
from analysis.sampling.run import Run
from user_input import count_of

# As many frames as make so many positions of particles, but at least so many.
POSITIONS, FRAMES = 300_000, 60
# Up to half of 2 pi over the mean distance of neighbouring particles, 3/sigma in a melt, shells are
# narrow, and hold all wave vectors of boxes of some 50,000 particles below 1/sigma.
DENSE_UP_TO, MOST_PER_SHELL = 0.5, 120
NARROWEST, WIDTH_ABOVE = 1 / 80, 1 / 40
PAIRS = ('all', 'ion-ion', 'cation-cation', 'anion-anion', 'cation-anion', 'charge-charge')
NAMES = ('position', 'width', 'height', 'spacing')


@dataclass(frozen=True)
class PartialStructureFactorsResult:
    """Partial structure factors by pair, those of PAIRS, and the ionomer peak of ion-ion.

    Attributes:
        least_wave_number: 2 pi over the least width of the box.
        n_frames: How many, evenly spread, they are averaged over.
        n_vectors: Wave vectors in each frame.
        n_blocks: Independent blocks that intervals rest on.
    """

    curves: dict[str, Curve]
    peak: Peak
    least_wave_number: float
    n_frames: int
    n_vectors: int
    n_blocks: int


@dataclass(frozen=True)
class PartialStructureFactors(NamedIons, Observable[PartialStructureFactorsResult]):
    """S(q) between the kinds of ions, from the least wave vector of the box on."""

    name = 'partial_structure_factors'
    title = 'Partial structure factors'
    definition = (
        'S_ab(q) = <Re rho_a(q) rho_b(-q)> / sqrt(N_a N_b), rho_a(q) = sum_j exp(i q.r_j) over the '
        'particles of a (Ashcroft and Langreth 1967, doi 10.1103/PhysRev.156.685); charge-charge: '
        'each times its charge, over the sum of squared charges, so that it becomes q^2/k_D^2 at '
        'small q (Stillinger and Lovett 1968, doi 10.1063/1.1670358). q in 1/sigma, at all wave '
        f'vectors that fit the box, of a shell at most {MOST_PER_SHELL}; above half of the main '
        f'peak at {VECTORS_PER_SHELL} in random directions. Ionomer peak: the most prominent one '
        'of ion-ion below that, its top that of a quartic in ln S; spacing d = 2 pi/q*; full width '
        'at half the height over the higher flank; height S(q*).'
    )
    result = PartialStructureFactorsResult
    panels = ('ionomer peak', 'ionomer spacing')
    names = tuple(f'ionomer_peak_{name}' for name in NAMES)
    never_precise = {
        f'ionomer_peak_{name}': 'has no interval within a run, so that no length would be enough.'
        for name in ('width', 'height')
    }

    def applies_to(self, topology: Topology) -> bool:
        return has_ions(topology)

    def begin(self, run: Run) -> Accumulator[PartialStructureFactorsResult]:
        ions = self.named_ions(run, BondedIons.KEEP)
        n = len(run.topology.typeid)
        kinds: dict[tuple[bool, float], IntArray] = {}
        of_ion = list(zip(ions.is_cation.tolist(), ions.charge.tolist(), strict=True))
        for kind in dict.fromkeys(sorted(of_ion)):
            kinds[kind] = ions.indices[[each == kind for each in of_ion]]
        others = np.setdiff1d(np.arange(n), ions.indices)
        frames = spread_out(run.even_frames, max(FRAMES, POSITIONS // n))
        return _Modes(kinds, others, frames)

    def quantities(self, result: PartialStructureFactorsResult) -> list[Quantity]:
        peak, q = result.peak, result.peak.position
        spacing = q
        if q.value is not None and q.low is not None and q.high is not None:
            # An interval from 0 on would have no upper end.
            low = max(q.low, 1e-3 * q.value)
            value, *ends = (2 * np.pi / each for each in (q.value, q.high, low))
            spacing = replace(q, value=value, low=ends[0], high=ends[1])
        panel = Panel('ionomer peak', r'[$\sigma^{-1}$]')
        apart = Panel('ionomer spacing', r'$2\pi/q^*$ [$\sigma$]')
        drawn = (
            ('sigma^-1', q, panel, 'position $q^*$', False),
            ('sigma^-1', peak.width, panel, 'width', False),
            ('1', peak.height, None, 'height', False),
            ('sigma', spacing, apart, 'spacing of the ionomer peak', True),
        )
        return [
            Quantity(
                name,
                unit,
                estimate.within(*NOT_NEGATIVE),
                limits=NOT_NEGATIVE,
                panel=panel,
                label=label,
                is_key=is_key,
                follows=WATCHED,
            )
            for name, (unit, estimate, panel, label, is_key) in zip(self.names, drawn, strict=True)
        ]

    def curves(self, result: PartialStructureFactorsResult) -> dict[str, Curve]:
        return result.curves

    def notes(self, result: PartialStructureFactorsResult) -> list[str]:
        return [
            f'{count_of(result.n_frames, "frame")}, evenly spread, '
            f'{count_of(result.n_blocks, "independent block")}; '
            f'{result.n_vectors} wave vectors, in shells from {result.curves["all"].x[0]:.3g} on'
        ]


class _Modes(Accumulator[PartialStructureFactorsResult]):
    """Sums of S(q) by frame, pair and shell, of ions by kind and charge, and of the others."""

    def __init__(
        self, kinds: dict[tuple[bool, float], IntArray], others: IntArray, frames: IntArray
    ) -> None:
        self.frames = frames
        self._kinds, self._others = kinds, others
        self._indices: FloatArray | None = None
        self._rows: list[FloatArray] = []

    def _choose(self, box: Box, n: int) -> FloatArray:
        """Choose wave vectors and shells, which are those of the first box in all frames."""
        generator = np.random.default_rng(0)
        scale = 2 * np.pi / float(np.cbrt(box.volume / n))
        # Shells of a quarter of 2 pi/L tell the least lattice vectors apart.
        width = scale * max(NARROWEST, 0.25 / float(np.cbrt(n)))
        lowest = np.pi / float(np.linalg.norm(box.matrix, axis=1).max())
        middle = max(DENSE_UP_TO * scale, lowest + width)
        dense: FloatArray = middle - width * np.arange((middle - lowest) // width, -1.0, -1.0)
        above = np.arange(middle, HIGHEST * scale, WIDTH_ABOVE * scale)
        vectors = [
            lattice_vectors(box, dense, MOST_PER_SHELL, generator),
            random_lattice_vectors(box, above, VECTORS_PER_SHELL, generator),
        ]
        indices = box.wave_indices(np.concatenate(vectors))
        length = np.linalg.norm(box.wave_vectors(indices), axis=1)
        shell = np.digitize(length, np.concatenate([dense, above[1:]]))
        _, self._shell, self._counts = np.unique(shell, return_inverse=True, return_counts=True)
        self._n_dense = len(np.unique(shell[length < middle]))
        self._least = 2 * np.pi / box.least_width
        return indices

    def add(self, frame: int, snapshot: Snapshot) -> None:
        if self._indices is None:
            self._indices = self._choose(snapshot.box, len(snapshot.positions))
        vectors = snapshot.box.wave_vectors(self._indices)
        cations, anions, charge = np.zeros((3, 2, len(vectors)))
        n_cations, n_anions, squares = 0, 0, 0.0
        for (is_cation, z), members in self._kinds.items():
            modes = density_modes(snapshot.positions[members], vectors)
            charge += z * modes
            squares += z**2 * len(members)
            if is_cation:
                cations += modes
                n_cations += len(members)
            else:
                anions += modes
                n_anions += len(members)
        ions = cations + anions
        everything = ions + density_modes(snapshot.positions[self._others], vectors)
        values = [np.linalg.norm(vectors, axis=1)]
        for one, other, number in (
            (everything, everything, len(snapshot.positions)),
            (ions, ions, n_cations + n_anions),
            (cations, cations, n_cations),
            (anions, anions, n_anions),
            (cations, anions, np.sqrt(n_cations * n_anions)),
            (charge, charge, squares),
        ):
            values.append((one * other).sum(axis=0) / number)
        n = len(self._counts)
        self._rows.append(np.stack([np.bincount(self._shell, each, n) for each in values]))

    def conclude(self) -> PartialStructureFactorsResult:
        table: FloatArray = np.array(self._rows)
        dense = slice(0, self._n_dense)
        series = table[:, 2, dense].sum(axis=1)
        # Ions that never move are one configuration, however many frames show it.
        inefficiency = statistical_inefficiency(series) if varies(series) else len(table)
        blocks = merge_blocks(table, inefficiency, len(table))
        shared = shared_by_neighbours(inefficiency, len(table) / len(blocks))
        lengths = merge_blocks(np.ones(len(table)), inefficiency, len(table))
        blocks = blocks / lengths[:, None, None]
        q, *values = table.mean(axis=0) / self._counts
        low, high, curves = None, None, {}
        for k, (pair, value) in enumerate(zip(PAIRS, values, strict=True), 1):
            if len(blocks) >= FEWEST_BLOCKS:
                own = blocks[:, k] / self._counts
                others = (own.sum(axis=0) - own) / (len(own) - 1)
                low, high = jackknife(value, others, shared=shared)
            labels = (r'wave number $q$ [$\sigma^{-1}$]', '$S(q)$')
            curves[pair] = Curve(q, value, low, high, *labels)
        peak = find_peak(q[dense], blocks[:, 2, dense], self._counts[dense], shared, self._least)
        return PartialStructureFactorsResult(
            curves,
            peak,
            self._least,
            len(table),
            len(self._shell),
            len(blocks),
        )
