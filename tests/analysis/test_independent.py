"""A melt that LAMMPS alone simulated and wrote: the command line against plain numpy.

Nothing of the project takes part on the other side: its own reading of the files, all pairs of
particles, and means over the pairs of frames that the documentation promises.
"""

import contextlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.__main__ import main

BESIDE_PYTHON = Path(sys.executable).with_name('lmp')
LMP = str(BESIDE_PYTHON) if BESIDE_PYTHON.exists() else shutil.which('lmp')

# Units of the masses and charges are those of LAMMPS 'lj'; the box has a corner at LOW.
TYPES = ('B', 'Li', 'Mg', 'Cl', 'S')
MASS = np.array([1.0, 0.5, 0.8, 1.5, 2.0])
CHARGE = np.array([0, 1, 2, -1, -1])
LOW, HIGH = np.array([-4.0, 0.0, 1.0]), np.array([4.0, 7.0, 8.5])
EDGES = HIGH - LOW
CHAINS, BEADS = 10, 10
TIME_STEP, EVERY, STEPS = 0.005, 20, 1200
REACH = {('Li', 'Cl'): 1.0, ('Li', 'S'): 1.1, ('Mg', 'Cl'): 1.15, ('Mg', 'S'): 1.2}
WAVE_NUMBERS = {'peak': 5.0, 'pi/sigma': np.pi}

# The soft potential parts what was put at random; like ions are smaller than what they meet.
SCRIPT = f"""
units lj
atom_style full
region box block {LOW[0]} {HIGH[0]} {LOW[1]} {HIGH[1]} {LOW[2]} {HIGH[2]}
create_box 5 box bond/types 1 extra/bond/per/atom 2 extra/special/per/atom 8
labelmap atom 1 B 2 Li 3 Mg 4 Cl 5 S
labelmap bond 1 backbone
mass B 1.0
mass Li 0.5
mass Mg 0.8
mass Cl 1.5
mass S 2.0
molecule chain chain.txt
create_atoms 0 random {CHAINS} 11 NULL mol chain 12
create_atoms Li random 20 13 NULL
create_atoms Mg random 10 14 NULL
create_atoms Cl random 24 15 NULL
create_atoms S random 16 16 NULL
set type Li charge 1.0
set type Mg charge 2.0
set type Cl charge -1.0
set type S charge -1.0
special_bonds lj/coul 0 1 1
bond_style harmonic
bond_coeff backbone 50.0 0.97
comm_modify cutoff 3.5
pair_style soft 1.0
pair_coeff * * 40.0
minimize 0 0 200 2000
velocity all create 1.0 17
fix move all nve/limit 0.05
fix bath all langevin 1.0 1.0 0.5 18
run 500
pair_style lj/cut/coul/cut 1.12246 3.0
pair_coeff * * 1.0 1.0
pair_coeff Li * 1.0 0.7
pair_coeff Mg * 1.0 0.8
pair_coeff Li Li 1.0 0.5 0.56
dielectric 0.3
run 500
unfix move
fix move all nve
timestep {TIME_STEP}
run 500
reset_timestep 0
write_data melt.data
dump text all custom {EVERY} melt.dump id type q xu yu zu
dump_modify text time yes units yes sort off format float %.9g
dump binary all dcd {EVERY} melt.dcd
dump_modify binary unwrap yes
run {STEPS}
"""


class Melt:
    """Files of the run, and what plain numpy reads from them, particles in the order of ids.

    Attributes:
        steps: Shape (F,).
        positions: Unwrapped, shape (F, N, 3).
        kind: Index into TYPES, shape (N,).
        charge: Shape (N,).
        bonds: Shape (M, 2).
    """

    def __init__(self, folder):
        self.folder = folder
        rows, steps = [], []
        lines = iter((folder / 'melt.dump').read_text().splitlines())
        for line in lines:
            if line == 'ITEM: TIMESTEP':
                steps.append(int(next(lines)))
            elif line == 'ITEM: NUMBER OF ATOMS':
                n = int(next(lines))
            elif line.startswith('ITEM: ATOMS'):
                rows.append([[float(word) for word in next(lines).split()] for _ in range(n)])
        table = np.array(rows)
        assert np.any(np.diff(table[:, :, 0]) < 0)  # not sorted
        order = np.argsort(table[:, :, 0], axis=1)
        table = np.take_along_axis(table, order[:, :, None], axis=1)
        self.steps, self.positions = np.array(steps), table[:, :, 3:]
        self.kind = table[0, :, 1].astype(int) - 1
        self.charge = table[0, :, 2]
        assert np.array_equal(self.charge, CHARGE[self.kind])
        words = (folder / 'melt.data').read_text().split('\nBonds\n\n')[1].split('\n\n')[0]
        self.bonds = np.array([row.split()[2:] for row in words.splitlines()], dtype=int) - 1
        assert len(self.bonds) == CHAINS * (BEADS - 1)

    def command(self, *arguments, file='melt.dump'):
        """What the command line prints as JSON."""
        printed = io.StringIO()
        paths = [str(self.folder / file), '--data', str(self.folder / 'melt.data')]
        with contextlib.redirect_stdout(printed):
            assert main([arguments[0], *paths, *arguments[1:], '--json']) == 0
        return json.loads(printed.getvalue())

    def pairs(self, lag):
        """Pairs of frames `lag` steps apart: the first origin of each stretch of time.

        Stretches are an eighth of the lag or a hundredth of the run long, rounded up to a power of
        two.
        """
        length = 2.0 ** np.ceil(np.log2(max(lag / 8, STEPS / 100)))
        frame_at = {step: frame for frame, step in enumerate(self.steps)}
        first = {}
        for frame, step in enumerate(self.steps):
            if step + lag in frame_at:
                first.setdefault(step // length, (frame, frame_at[step + lag]))
        return list(first.values())

    def mean_over_pairs(self, times, correlation):
        """Mean of `correlation(one frame, later frame)` at each time."""
        lags = np.rint(np.array(times) / TIME_STEP).astype(int)
        assert len(lags) > 8
        return [np.mean([correlation(*pair) for pair in self.pairs(lag)], axis=0) for lag in lags]

    def without_drift(self):
        """Positions relative to the centre of mass, shape (F, N, 3)."""
        mass = MASS[self.kind]
        centre = np.einsum('fni,n->fi', self.positions, mass) / mass.sum()
        return self.positions - centre[:, None]


@pytest.fixture(scope='module')
def melt(tmp_path_factory):
    if LMP is None:
        pytest.skip('needs the lmp program of LAMMPS')
    folder = tmp_path_factory.mktemp('lammps')
    n = range(1, BEADS + 1)
    chain = [f'chain\n\n{BEADS} atoms\n{BEADS - 1} bonds']
    chain += ['Coords', '\n'.join(f'{k} {0.9 * k} {0.3 * (k % 2)} 0' for k in n)]
    chain += ['Types', '\n'.join(f'{k} B' for k in n)]
    chain += ['Charges', '\n'.join(f'{k} 0' for k in n)]
    chain += ['Bonds', '\n'.join(f'{k} backbone {k} {k + 1}' for k in n[:-1])]
    (folder / 'chain.txt').write_text('\n\n'.join(chain) + '\n')
    (folder / 'in.melt').write_text(SCRIPT)
    call = [LMP, '-in', 'in.melt', '-log', 'none']
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    return Melt(folder)


def clusters_of(frame, kind):
    """Contacts of each ion, and the cluster of each as the least index in it; all pairs."""
    table = np.zeros((len(TYPES), len(TYPES)))
    for (one, other), reach in REACH.items():
        k, m = TYPES.index(one), TYPES.index(other)
        table[k, m] = table[m, k] = reach
    vectors = frame[:, None] - frame[None]
    vectors -= EDGES * np.rint(vectors / EDGES)
    touch = np.linalg.norm(vectors, axis=-1) < table[kind[:, None], kind[None]]
    label = np.arange(len(frame))
    while True:
        lowest = np.where(touch, label[None], len(frame)).min(axis=1)
        lower = np.minimum(label, lowest)
        if np.array_equal(lower, label):
            return touch.sum(axis=1), label
        label = lower


def clusters_by_numpy(melt):
    ions = np.flatnonzero(melt.charge)
    series, charges = [], []
    for frame in melt.positions[:, ions]:
        contacts, label = clusters_of(frame, melt.kind[ions])
        found, sizes = np.unique(label, return_counts=True)
        series.append([
            sizes.mean(), (sizes**2).sum() / len(ions), sizes.max() / len(ions),
            (contacts == 0).mean(), contacts.mean(),
        ])  # fmt: skip
        charges.append([melt.charge[ions][label == each].sum() for each in found])
    return np.array(series).T, charges


SERIES = ('number_average_size', 'weight_average_size', 'largest_cluster_fraction',
          'free_ion_fraction', 'coordination_number')  # fmt: skip
DISTANCES = ','.join(f'{one}-{other}={reach}' for (one, other), reach in REACH.items())


def test_clusters(melt):
    result = melt.command('clusters', '--contact-distance', DISTANCES)
    expected, charges = clusters_by_numpy(melt)
    assert result['steps'] == melt.steps.tolist()
    for name, values in zip(SERIES, expected, strict=True):
        assert result['series'][name] == pytest.approx(values, rel=1e-12, abs=0), name
        mean = values[-result['n_frames'] :].mean()
        assert result['estimates'][name]['value'] == pytest.approx(mean, rel=1e-12, abs=0)
    assert 0.02 < expected[3].mean() < 0.9
    values, counts = np.unique(np.concatenate(charges[-result['n_frames'] :]), return_counts=True)
    net = dict(
        zip(*(result['charge_distribution'][k] for k in ('values', 'probability')), strict=True)
    )
    assert {z: p for z, p in net.items() if p} == pytest.approx(
        dict(zip(values, counts / counts.sum(), strict=True))
    )


def test_mean_squared_displacements(melt):
    result = melt.command('msd')
    moving = melt.without_drift()
    assert list(result['by_type']) == list(TYPES)
    for k, name in enumerate(TYPES):
        own = moving[:, melt.kind == k]
        curve = result['by_type'][name]['curve']
        expected = melt.mean_over_pairs(
            curve['x'], lambda a, b, own=own: ((own[b] - own[a]) ** 2).sum(axis=1).mean()
        )
        assert curve['value'] == pytest.approx(expected, rel=1e-10)


def test_relaxation(melt):
    # Bonds and displacements are kept in single precision.
    rounding = {'rel': 1e-6, 'abs': 1e-6}
    result = melt.command('relaxation', '--wave-number', str(WAVE_NUMBERS['peak']))
    vectors = melt.positions[:, melt.bonds[:, 1]] - melt.positions[:, melt.bonds[:, 0]]
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    for name, polynomial in (('p1', lambda x: x), ('p2', lambda x: 1.5 * x**2 - 0.5)):
        curve = result[name]['backbone']['curve']
        expected = melt.mean_over_pairs(
            curve['x'],
            lambda a, b, polynomial=polynomial: polynomial((unit[a] * unit[b]).sum(axis=1)).mean(),
        )
        assert curve['value'] == pytest.approx(expected, **rounding)
    moving = melt.without_drift()
    charge = melt.charge
    groups = {'all': charge == charge, 'cations': charge > 0, 'anions': charge < 0}
    for group, members in groups.items():
        for q_name, q in WAVE_NUMBERS.items():
            own = moving[:, members]
            curve = result['scattering'][group][q_name]['curve']
            expected = melt.mean_over_pairs(
                curve['x'], lambda a, b, own=own, q=q: np.cos(q * (own[b] - own[a])).mean()
            )
            assert curve['value'] == pytest.approx(expected, **rounding)


def test_sizes_of_chains(melt):
    result = melt.command('chains')
    beads = melt.positions[:, melt.kind == 0].reshape(len(melt.steps), CHAINS, BEADS, 3)
    spread = beads - beads.mean(axis=2, keepdims=True)
    radius = (spread**2).sum(axis=-1).mean()
    ends = ((beads[:, :, -1] - beads[:, :, 0]) ** 2).sum(axis=-1).mean()
    assert result['n_chains'] == CHAINS
    assert result['n_frames'] == len(melt.steps)
    assert result['squared_radius_of_gyration']['value'] == pytest.approx(radius, rel=1e-10)
    assert result['squared_end_to_end']['value'] == pytest.approx(ends, rel=1e-10)


def test_the_same_from_the_dcd_file_of_lammps(melt):
    pytest.importorskip('MDAnalysis')
    found = melt.command('clusters', '--contact-distance', DISTANCES, file='melt.dcd')
    expected, _ = clusters_by_numpy(melt)
    assert found['steps'] == melt.steps.tolist()
    for name, values in zip(SERIES, expected, strict=True):
        assert found['series'][name] == pytest.approx(values, rel=1e-6), name
    msd = melt.command('msd')['by_type']
    dcd = melt.command('msd', '--unwrapped', '--time-step', str(TIME_STEP), file='melt.dcd')
    for name, each in dcd['by_type'].items():
        assert each['curve']['x'] == pytest.approx(msd[name]['curve']['x'])
        assert each['curve']['value'] == pytest.approx(msd[name]['curve']['value'], rel=1e-4)
