"""Output that no engine has to run for: a melt whose beads waver about where they began."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from benchmarks.melts import melt_of
from models.melt import wrapped
from workflow.engines.contract import State
from workflow.stages.trajectory_writer import TrajectoryLog
from workflow.sweep.frame_schedule import BlockSchedule
from workflow.sweep.protocol import Protocol

FloatArray = NDArray[np.float64]

# Steps over which a bead forgets where it was, and how far it strays along an axis.
_MEMORY = 2_000.0
_AMPLITUDE = 0.6
_AMPLITUDE_OF_IONS = 0.2


@dataclass(frozen=True)
class ChargePath:
    """How charge moves in a trajectory: sums of |q| r over cations and anions, (T, 2, 3)."""

    volume: float
    steps: FloatArray
    sums: FloatArray


def write_trajectory(path: Path, beads: int, frames: int) -> ChargePath:
    """Write `frames` log-spaced frames of about `beads` beads, the same ones every time."""
    topology = melt_of(beads)
    schedule = BlockSchedule(Protocol().sample.shortest_interval, 5)
    rng = np.random.default_rng(0)
    box = np.asarray(topology.configuration.box[:3], dtype=float)
    home = topology.particles.position + topology.particles.image * box
    amplitude = np.full((len(home), 1), _AMPLITUDE)
    charge = np.asarray(topology.particles.charge)
    for number, ions in enumerate((charge > 0, charge < 0)):
        home[ions] = _sites(int(ions.sum()), number, float(box[0]), rng)
        amplitude[ions] = _AMPLITUDE_OF_IONS
    strayed = amplitude * rng.standard_normal(home.shape)
    signed = np.stack([np.maximum(charge, 0), np.maximum(-charge, 0)])
    step, steps, sums = 0, [], []
    with TrajectoryLog(path, topology, Protocol().time_step) as trajectory:
        for _ in range(frames):
            steps.append(step)
            sums.append(signed @ (home + strayed))
            positions, images = wrapped(home + strayed, float(box[0]))
            inside = positions.astype(float)
            trajectory.append(State(step, box, inside, images, np.zeros_like(home)))
            later = schedule.next_frame(step)
            kept = np.exp((step - later) / _MEMORY)
            noise = rng.standard_normal(home.shape)
            strayed = kept * strayed + amplitude * np.sqrt(1 - kept**2) * noise
            step = later
    return ChargePath(float(box.prod()), np.array(steps, dtype=float), np.array(sums))


def write_thermo_log(path: Path, rows: int, charges: ChargePath) -> None:
    """Write a thermo log whose energies and pressures forget within some ten rows.

    Charges move straight from frame to frame, and are where these have them.
    """
    generator = np.random.default_rng(0)
    names = ['kinetic_energy', 'potential_energy']
    names += [f'pressure_{axes}' for axes in ('xx', 'xy', 'xz', 'yy', 'yz', 'zz')]
    noise = generator.standard_normal((rows, len(names)))
    series = lfilter([1], [1, -0.9], noise, axis=0)
    with h5py.File(path, 'w') as file:
        file.attrs['time_step'] = Protocol().time_step
        file['step'] = step = np.arange(rows) * max(1, int(charges.steps[-1]) // rows)
        file['volume'] = np.full(rows, charges.volume)
        for sign, kind in enumerate(('cation', 'anion')):
            for axis, name in enumerate('xyz'):
                moved = np.interp(step, charges.steps, charges.sums[:, sign, axis])
                file[f'{kind}_displacement_{name}'] = moved - moved[0]
        for name, values in zip(names, series.T, strict=True):
            file[name] = values


def _sites(ions: int, parity: int, box: float, rng: np.random.Generator) -> FloatArray:
    """Half of the sites that a rock salt would give to ions of one sign, shape (ions, 3).

    So g(+-) has a first minimum, and clusters have all sizes, as in a melt.
    """
    n = 2 * round((4 * ions) ** (1 / 3) / 2)
    indices = np.stack(np.meshgrid(*3 * [np.arange(n)], indexing='ij'), axis=-1).reshape(-1, 3)
    own = indices[indices.sum(axis=1) % 2 == parity]
    chosen = rng.permutation(own)[:ions]
    return np.asarray((chosen + 0.5) * box / n - box / 2)
