"""What a physicist would write instead of each observable, with the libraries of the field.

Every function reads the file itself, does only what it must for its numbers, and returns these in
an array, to be compared with ours. The libraries are imported by those that use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# Origins and later frames, (P,) each, for one lag after the other.
Pairs = Sequence[tuple[Array, Array]]


def clusters_networkx(path: Path, frames: Array, distance: float) -> Array:
    """Mean coordination, and weight-average cluster size, of each frame: (2, F)."""
    import networkx
    from MDAnalysis import Universe
    from MDAnalysis.lib.distances import capped_distance

    universe = Universe(str(path))
    cations = universe.select_atoms('prop charge > 0')
    anions = universe.select_atoms('prop charge < 0')
    ions, rows = cations + anions, []
    for timestep in universe.trajectory[frames]:
        pairs = capped_distance(
            cations.positions,
            anions.positions,
            distance,
            box=timestep.dimensions,
            return_distances=False,
        )
        graph = networkx.Graph()
        graph.add_nodes_from(ions.indices)
        graph.add_edges_from(
            zip(cations.indices[pairs[:, 0]], anions.indices[pairs[:, 1]], strict=True)
        )
        sizes = np.array([len(each) for each in networkx.connected_components(graph)])
        rows.append((2 * len(pairs) / len(ions), (sizes**2).sum() / len(ions)))
    return np.array(rows).T


def clusters_freud(path: Path, frames: Array, distance: float) -> Array:
    """Return the same, with freud."""
    import freud
    import gsd.hoomd

    rows = []
    with gsd.hoomd.open(path) as trajectory:
        charge = trajectory[0].particles.charge
        cations, anions = np.flatnonzero(charge > 0), np.flatnonzero(charge < 0)
        n = len(cations) + len(anions)
        ions = np.concatenate([cations, anions])
        for frame in map(trajectory.__getitem__, frames.tolist()):
            box, positions = frame.configuration.box, frame.particles.position
            query = freud.locality.AABBQuery(box, positions[anions])
            near = query.query(positions[cations], {'r_max': distance}).toNeighborList()
            contacts = freud.locality.NeighborList.from_arrays(
                n, n, near[:, 0], near[:, 1] + len(cations), near.vectors
            )
            cluster = freud.cluster.Cluster().compute((box, positions[ions]), neighbors=contacts)
            sizes = np.bincount(cluster.cluster_idx)
            rows.append((2 * len(near) / n, (sizes**2).sum() / n))
    return np.array(rows).T


def all_pairs(steps: Array) -> dict[int, tuple[Array, Array]]:
    """Pair all frames, by lag in steps up to half of the run: what is done where nothing is chosen.

    Lags of one pair are left out, as frames at log-spaced steps have them by the thousand.
    """
    origin, later = np.triu_indices(len(steps), 1)
    lag = steps[later] - steps[origin]
    order = np.argsort(lag, kind='stable')
    lags, first = np.unique(lag[order], return_index=True)
    groups = np.split(order, first[1:])
    longest = (steps[-1] - steps[0]) / 2
    return {
        int(lag): (origin[group], later[group])
        for lag, group in zip(lags, groups, strict=True)
        if lag <= longest and len(group) > 1
    }


def relaxation(path: Path, pairs: Pairs, wave_numbers: tuple[float, ...]) -> Array:
    """P1 and P2 of the bonds of each type, then F_s by wave number of all, cations, anions."""
    topology, boxes, positions, images = _read_all(path)
    bonds, of_type, charge = topology.bonds.group, topology.bonds.typeid, topology.particles.charge
    lengths = boxes[:, None, :]
    vectors = positions[:, bonds[:, 1]] - positions[:, bonds[:, 0]]
    vectors -= lengths * np.rint(vectors / lengths)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    paths = _without_drift(positions + images * lengths, topology.particles.mass)
    types = [of_type == k for k in range(len(topology.bonds.types))]
    groups = [np.ones(len(charge), dtype=bool), charge > 0, charge < 0]
    curves = []
    for origins, laters in pairs:
        rows = []
        for origin, later in zip(origins, laters, strict=True):
            cosine = (vectors[origin] * vectors[later]).sum(axis=1)
            row = [cosine[t].mean() for t in types]
            row += [(1.5 * cosine[t] ** 2 - 0.5).mean() for t in types]
            moved = paths[later] - paths[origin]
            for q in wave_numbers:
                scattered = np.cos(q * moved).mean(axis=1)
                row += [scattered[g].mean() for g in groups]
            rows.append(row)
        curves.append(np.mean(rows, axis=0))
    return np.array(curves).T


def msd(path: Path, pairs: Pairs) -> Array:
    """<dr^2> by particle type and lag."""
    (second,) = _moments(path, pairs, (1,))
    return np.asarray(second)


def non_gaussian(path: Path, pairs: Pairs) -> Array:
    """3 <dr^4> / (5 <dr^2>^2) - 1 by particle type and lag."""
    second, fourth = _moments(path, pairs, (1, 2))
    return np.asarray(3 * fourth / (5 * second**2) - 1)


def chains_mdanalysis(path: Path, frames: Array, beads: Array) -> Array:
    """Mean squared radius of gyration of the `beads` of each chain, (1,)."""
    from MDAnalysis import Universe

    universe = Universe(str(path))
    backbone = universe.atoms[beads]
    chains, rows = [fragment & backbone for fragment in backbone.fragments], []
    for _ in universe.trajectory[frames]:
        backbone.unwrap(compound='fragments')
        rows.append(np.mean([chain.radius_of_gyration() ** 2 for chain in chains]))
    return np.array([np.mean(rows)])


def g_mdanalysis(path: Path, frames: Array, reach: float, bins: int) -> Array:
    """g(r) of all particles and of the three pairs of ions, (4, bins)."""
    from MDAnalysis import Universe
    from MDAnalysis.analysis.rdf import InterRDF

    universe = Universe(str(path))
    cations = universe.select_atoms('prop charge > 0')
    anions = universe.select_atoms('prop charge < 0')
    rows = []
    for one, other in (
        (universe.atoms, universe.atoms),
        (cations, anions),
        (cations, cations),
        (anions, anions),
    ):
        itself = (1, 1) if one is other else None
        rdf = InterRDF(one, other, bins, (0, reach), exclusion_block=itself)
        rows.append(rdf.run(frames=frames).results.rdf)
    return np.array(rows)


def g_freud(path: Path, frames: Array, reach: float, bins: int) -> Array:
    """Return the same, with freud."""
    import freud
    import gsd.hoomd

    rows = []
    with gsd.hoomd.open(path) as trajectory:
        charge = trajectory[0].particles.charge
        everything, cations, anions = charge < np.inf, charge > 0, charge < 0
        for one, other in (
            (everything, None),
            (cations, anions),
            (cations, None),
            (anions, None),
        ):
            mode = 'finite_size' if other is None else 'exact'
            rdf = freud.density.RDF(bins, reach, normalization_mode=mode)
            for frame in map(trajectory.__getitem__, frames.tolist()):
                positions = frame.particles.position
                query_points = None if other is None else positions[other]
                system = (frame.configuration.box, positions[one])
                rdf.compute(system, query_points, reset=False)
            rows.append(rdf.rdf)
    return np.array(rows)


def s_numpy(path: Path, frames: Array, vectors: list[Array], edges: Array) -> Array:
    """S(q) of all particles in shells between `edges`, at `vectors` (Q, 3) for each frame."""
    import gsd.hoomd

    sums = np.zeros((2, len(edges) - 1))
    with gsd.hoomd.open(path) as trajectory:
        for frame, of_frame in zip(frames.tolist(), vectors, strict=True):
            positions = trajectory[frame].particles.position
            s = [abs(np.exp(1j * (positions @ q)).sum()) ** 2 / len(positions) for q in of_frame]
            length = np.linalg.norm(of_frame, axis=1)
            sums += np.histogram(length, edges, weights=s)[0], np.histogram(length, edges)[0]
    return np.asarray(sums[0] / sums[1])


def s_freud(path: Path, frames: Array, n_vectors: int, edges: Array) -> Array:
    """Return the same, with freud, at as many vectors, which are others."""
    import freud
    import gsd.hoomd

    direct = freud.diffraction.StaticStructureFactorDirect(
        len(edges) - 1, edges[-1], edges[0], n_vectors
    )
    with gsd.hoomd.open(path) as trajectory:
        for frame in map(trajectory.__getitem__, frames.tolist()):
            direct.compute((frame.configuration.box, frame.particles.position), reset=False)
    return np.asarray(direct.S_k)


def _moments(path: Path, pairs: Pairs, powers: tuple[int, ...]) -> Array:
    """Average powers of the squared displacement: (powers, types, lags)."""
    topology, boxes, positions, images = _read_all(path)
    paths = _without_drift(positions + images * boxes[:, None, :], topology.particles.mass)
    types = [topology.particles.typeid == k for k in range(len(topology.particles.types))]
    curves = []
    for origins, laters in pairs:
        rows = []
        for origin, later in zip(origins, laters, strict=True):
            squared = ((paths[later] - paths[origin]) ** 2).sum(axis=1)
            rows.append([[(squared[t] ** power).mean() for t in types] for power in powers])
        curves.append(np.mean(rows, axis=0))
    return np.moveaxis(np.array(curves), 0, -1)


def _read_all(path: Path) -> tuple[Any, Array, Array, Array]:
    """Read topology, edges of boxes (F, 3), positions and images (F, N, 3) of all frames."""
    import gsd.hoomd

    with gsd.hoomd.open(path) as trajectory:
        frames = list(trajectory)
    boxes = np.array([frame.configuration.box[:3] for frame in frames])
    positions = np.array([frame.particles.position for frame in frames])
    images = np.array([frame.particles.image for frame in frames])
    return frames[0], boxes, positions, images


def _without_drift(paths: Array, mass: Array) -> Array:
    return np.asarray(paths - np.einsum('n,fna->fa', mass / mass.sum(), paths)[:, None])
