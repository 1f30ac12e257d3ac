"""Key results of ion clusters against the contact distance, which is a choice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.estimators.estimate import Curve, Estimate
from analysis.estimators.intervals import mean_with_interval, proportion_with_interval
from analysis.geometry import contact_graph
from analysis.geometry.contact_graph import ContactGraph
from analysis.sampling.frame_selection import spread_out

# Contact distances, relative to that of the run, whose results are in the middle.
FACTORS = np.array([0.8, 0.9, 1.0, 1.1, 1.2])
# A frame costs about three of those that only the run's own contact distance is asked for.
MOST_FRAMES, PART_OF_FRAMES, FEWEST_FRAMES = 100, 3, 8
PERCOLATION = 'percolation against r_c'
LABELS = {
    'coordination against r_c': 'mean coordination number',
    'largest cluster against r_c': 'fraction of ions in the largest cluster',
    PERCOLATION: 'percolation probability',
}


class ContactScan:
    """Coordination, largest cluster, and percolation at several contact distances.

    Taken in some of the `n` frames that the observable looks at, evenly spread; contacts are up to
    FACTORS times the `limits` of the types, (T, T).
    """

    def __init__(self, n: int, limits: FloatArray, typeid: IntArray) -> None:
        most = min(MOST_FRAMES, max(n // PART_OF_FRAMES, FEWEST_FRAMES))
        self.rows = spread_out(np.arange(n), most)
        self.reach = float(limits.max() * FACTORS.max())
        self._limits, self._typeid = limits, typeid
        self._values = np.full((len(self.rows), len(LABELS), len(FACTORS)), np.nan)

    def add(
        self, rows: IntArray, unlike: ContactGraph, contacts: ContactGraph, links: ContactGraph
    ) -> None:
        """Take in some of `rows`, side by side: contacts of unlike ions and all, up to `reach`.

        Links are by bonds.
        """
        n, shape = len(self._typeid), (len(FACTORS), len(rows))
        reach, unlike_reach = self._limits_of(contacts), self._limits_of(unlike)
        graphs = [contacts.only(contacts.lengths <= f * reach).joined(links) for f in FACTORS]
        components = contact_graph.connected_components(contact_graph.side_by_side(graphs))
        of_graph = np.empty(len(components.size), dtype=np.int64)
        of_graph[components.label] = np.arange(n * len(rows) * len(FACTORS)) // n
        largest, percolates = np.zeros((2, len(rows) * len(FACTORS)))
        np.maximum.at(largest, of_graph, components.size / n)
        np.maximum.at(percolates, of_graph, components.dimension > 0)
        frame = unlike.pairs[:, 0] // n
        pairs = [
            np.bincount(frame[unlike.lengths <= f * unlike_reach], minlength=len(rows))
            for f in FACTORS
        ]
        values = [2 * np.array(pairs) / n, largest.reshape(shape), percolates.reshape(shape)]
        self._values[np.searchsorted(self.rows, rows)] = np.transpose(values, (2, 0, 1))

    def _limits_of(self, graph: ContactGraph) -> FloatArray:
        """Tabulate how long each contact may be, shape (E,)."""
        first, second = self._typeid[graph.pairs % len(self._typeid)].T
        return np.asarray(self._limits[first, second])

    def curves(
        self, distances: Mapping[str, float], first_row: int, inefficiency: float
    ) -> dict[str, Curve]:
        """Average over the frames from a row on; the inefficiency is that of all rows.

        Against r_c where there is one pair of species, else against the common factor. None in a
        box that is too small for the longest.
        """
        values = self._values[self.rows >= first_row]
        values = values[np.isfinite(values[:, 0, 0])]
        if not len(values):
            return {}
        apart = np.diff(self.rows).mean() if len(self.rows) > 1 else 1.0
        x, label = FACTORS, 'contact distances relative to $r_c$'
        if len(distances) == 1:
            (distance,) = distances.values()
            x, label = FACTORS * distance, r'contact distance $r_c$ [$\sigma$]'
        curves = {}
        for k, (name, y_label) in enumerate(LABELS.items()):
            series = values[:, k].T
            if name == PERCOLATION:
                shorter = max(1.0, inefficiency / float(apart))
                found = [proportion_with_interval(each, shorter) for each in series]
            else:
                found = [mean_with_interval(each) for each in series]
            curves[name] = _curve(x, found, label, y_label)
        return curves


def _curve(x: FloatArray, found: list[Estimate], x_label: str, y_label: str) -> Curve:
    ends = (None, None)
    if any(each.is_converged for each in found):
        table = [(e.low, e.high) if e.is_converged else (np.nan, np.nan) for e in found]
        ends = tuple(np.array(table, dtype=np.float64).T)
    value = np.array([each.value for each in found], dtype=np.float64)
    return Curve(x, value, *ends, x_label, y_label)
