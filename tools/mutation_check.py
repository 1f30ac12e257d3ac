"""Deliberate faults, one at a time, and which test catches each: `python -m tools.mutation_check`.

Works in a temporary copy of the repository. A fault is an exact replacement of text; where the text
is not found once, the source has changed and the fault must be written anew.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from workflow.provenance import code_version

ROOT = Path(__file__).parents[1]
PAGE = ROOT / 'docs' / 'mutations.md'
LONGEST_TEST_SECONDS = 600
SURVIVED = 'nothing: IT SURVIVED'
# Internal error, wrong usage, no tests: none of them says anything of the fault.
NOT_TRIED = (3, 4, 5)

FORCES = 'tests/workflow/test_engine_forces.py'
STAGES = 'tests/workflow/test_stage_run.py'
FIELD = 'tests/models/test_force_field.py'
STATISTICS = 'tests/analysis/test_statistics.py'
CLUSTERS = 'tests/analysis/test_clusters.py'
GRAPH = 'tests/analysis/test_contact_graph.py'
RELAXATION = 'tests/analysis/test_relaxation.py'
MESHES = 'tests/workflow/test_mesh_choices.py'
MOTION = 'tests/models/test_fastest_motion.py'
ELECTROSTATICS = 'tests/validation/test_electrostatics.py'
COULOMB = 'workflow/coulomb.py'
GRAPH_CODE = 'analysis/contact_graph.py'
LAMMPS = 'workflow/engines/lammps_engine.py'
HOOMD = 'workflow/engines/hoomd_engine.py'


@dataclass(frozen=True)
class Fault:
    """A mistake that someone could make.

    Attributes:
        name: What is wrong.
        path: File in which it is.
        right: Text as it stands there, once.
        wrong: What replaces it.
        tests: Files of the tests that should catch it.
        needs: Module without which it cannot be tried.
        further: More replacements in the same file, (text as it stands there once, what replaces
            it), for a fault that one does not make.
    """

    name: str
    path: str
    right: str
    wrong: str
    tests: tuple[str, ...]
    needs: str = ''
    further: tuple[tuple[str, str], ...] = ()

    @property
    def replacements(self) -> tuple[tuple[str, str], ...]:
        """All of them."""
        return ((self.right, self.wrong), *self.further)


FAULTS = (
    Fault(
        'geometric mixing of diameters',
        'models/force_field.py',
        '0.5 * (bead.sigma + other.sigma)',
        '(bead.sigma * other.sigma) ** 0.5',
        (FIELD,),
    ),
    Fault(
        'bonded neighbours feel the pair force (LAMMPS)',
        LAMMPS,
        "'special_bonds lj/coul 0 1 1'",
        "'special_bonds lj/coul 1 1 1'",
        (FORCES,),
    ),
    Fault(
        'next-nearest neighbours do not feel it (LAMMPS)',
        LAMMPS,
        "'special_bonds lj/coul 0 1 1'",
        "'special_bonds lj/coul 0 0 1'",
        (FORCES,),
    ),
    Fault(
        'Coulomb energy halved (LAMMPS)',
        LAMMPS,
        '{1 / force_field.bjerrum_length:.17g}',
        '{2 / force_field.bjerrum_length:.17g}',
        (FORCES,),
    ),
    Fault(
        'Coulomb energy doubled (HOOMD)',
        HOOMD,
        'np.sqrt(force_field.bjerrum_length)',
        'np.sqrt(2 * force_field.bjerrum_length)',
        (FORCES,),
        needs='hoomd',
    ),
    Fault(
        'all charges positive (LAMMPS)',
        'workflow/engines/lammps_data.py',
        'bead_types, charges, particles.position',
        'bead_types, np.abs(charges), particles.position',
        (FORCES,),
    ),
    Fault(
        'all charges positive (HOOMD)',
        HOOMD,
        'np.asarray(source.charge) * np.sqrt',
        'np.abs(source.charge) * np.sqrt',
        (FORCES,),
        needs='hoomd',
    ),
    Fault(
        'bonded neighbours feel the pair force (HOOMD)',
        HOOMD,
        "exclusions=('bond',)",
        'exclusions=()',
        (FORCES,),
        needs='hoomd',
    ),
    Fault(
        'next-nearest neighbours do not feel it (HOOMD)',
        HOOMD,
        "exclusions=('bond',)",
        "exclusions=('bond', '1-3')",
        (FORCES,),
        needs='hoomd',
    ),
    Fault(
        'error of the mesh estimated for twice the Coulomb constant',
        COULOMB,
        'strength = bjerrum_length * float',
        'strength = 2 * bjerrum_length * float',
        (ELECTROSTATICS,),
    ),
    Fault(
        'error of the mesh estimated for half the Coulomb constant',
        COULOMB,
        'strength = bjerrum_length * float',
        'strength = 0.5 * bjerrum_length * float',
        (ELECTROSTATICS,),
    ),
    Fault(
        'the mesh takes the error of the cut-off too',
        COULOMB,
        'share = target / np.sqrt(2)',
        'share = target * np.sqrt(2)',
        (ELECTROSTATICS,),
    ),
    Fault(
        'the mesh of the first box kept for all others',
        'workflow/mesh_choices.py',
        'np.abs(now / before - 1).max() > _BOX_TOLERANCE',
        'False',
        (MESHES,),
    ),
    Fault(
        'relaxation under pressure keeps its first mesh',
        'workflow/relax.py',
        'while simulation.step < end and not box_has_changed(mesh_box, state.box):',
        'while simulation.step < end:',
        (MESHES,),
    ),
    Fault(
        'beads at rest whenever an engine is set up',
        'workflow/trajectory_log.py',
        'particles.velocity = state.velocities',
        'particles.velocity = 0 * state.velocities',
        (STAGES,),
    ),
    Fault(
        'Coulomb attraction left out of the fastest motion',
        'models/fastest_motion.py',
        'coulomb = field.charges[i] * field.charges[j] * field.bjerrum_length',
        'coulomb = 0 * field.charges[i] * field.charges[j] * field.bjerrum_length',
        (MOTION,),
    ),
    Fault(
        'Coulomb attraction doubled in the fastest motion',
        'models/fastest_motion.py',
        'coulomb = field.charges[i] * field.charges[j] * field.bjerrum_length',
        'coulomb = 2 * field.charges[i] * field.charges[j] * field.bjerrum_length',
        (MOTION,),
    ),
    Fault(
        'masses of all beads 1 (LAMMPS)',
        'workflow/engines/lammps_data.py',
        "f'{i} {m:.17g}\\n' for i, m in enumerate(force_field.masses, start=1)",
        "f'{i} 1.0\\n' for i, m in enumerate(force_field.masses, start=1)",
        (FORCES,),
    ),
    Fault(
        'masses of all beads 1 (HOOMD)',
        HOOMD,
        'force_field.masses, strict=True))\n    particles',
        'np.ones(len(force_field.masses)), strict=True))\n    particles',
        (FORCES,),
        needs='hoomd',
    ),
    Fault(
        'pairs of kind none that repel (LAMMPS)',
        LAMMPS,
        'force_field.pair_epsilon[i, j] if cutoff > 0 else 0.0',
        'force_field.pair_epsilon[i, j] or 1.0',
        (FORCES,),
    ),
    Fault(
        'harmonic bonds twice as stiff (LAMMPS)',
        LAMMPS,
        'harmonic {bond.k / 2} {bond.r0}',
        'harmonic {bond.k} {bond.r0}',
        (FORCES,),
    ),
    Fault(
        'angles twice as stiff (LAMMPS)',
        LAMMPS,
        '{style} {angle.k / 2} {degrees:.17g}',
        '{style} {angle.k} {degrees:.17g}',
        (FORCES,),
    ),
    Fault(
        'Lennard-Jones not shifted (LAMMPS)',
        LAMMPS,
        "commands = [f'pair_style {style}', 'pair_modify shift yes']",
        "commands = [f'pair_style {style}']",
        (FORCES,),
    ),
    Fault(
        'Lennard-Jones not shifted (HOOMD)',
        HOOMD,
        "hoomd.md.pair.LJ(cell, mode='shift')",
        "hoomd.md.pair.LJ(cell, mode='none')",
        (FORCES,),
        needs='hoomd',
    ),
    Fault(
        'FENE spring of half the stiffness (LAMMPS)',
        LAMMPS,
        "f'fene {bond.k} {bond.r0}",
        "f'fene {bond.k / 2} {bond.r0}",
        (FORCES,),
    ),
    Fault(
        'kinetic energy of 3N degrees of freedom (LAMMPS)',
        LAMMPS,
        'rows[:, 2] *= (3 * self._n_beads - 3) / 2',
        'rows[:, 2] *= 3 * self._n_beads / 2',
        (STAGES, FORCES),
    ),
    Fault(
        'pressure tensor in the order of LAMMPS',
        LAMMPS,
        'for i in (1, 4, 5, 2, 6, 3)',
        'for i in (1, 2, 3, 4, 5, 6)',
        (STAGES, FORCES),
    ),
    Fault(
        'images left out of the trajectory',
        'workflow/trajectory_log.py',
        "('particles/image', state.images.astype(np.int32))",
        "('particles/image', np.zeros_like(state.images, dtype=np.int32))",
        (STAGES,),
    ),
    Fault(
        'images of beads that are outside the box lag behind (LAMMPS)',
        LAMMPS,
        'self._gather_images() + crossings.astype(np.int32)',
        'self._gather_images()',
        (STAGES,),
    ),
    Fault(
        'a checkpoint that does not cut the trajectory back',
        'workflow/trajectory_log.py',
        '        if mark is not None:\n            restore(path, mark)\n',
        '',
        (STAGES,),
    ),
    Fault(
        'thermo rows kept twice on a restart',
        'workflow/thermo_log.py',
        '        self._file.truncate(mark.rows * _RECORD_LENGTH)\n',
        '',
        (STAGES,),
    ),
    Fault(
        'a lag one step too long',
        'analysis/correlation_plan.py',
        'chosen.append(int(candidates[best]))',
        'chosen.append(int(candidates[best]) + 1)',
        (RELAXATION,),
    ),
    Fault(
        'second Legendre polynomial without its half',
        'analysis/relaxation.py',
        '(3 * squared - 1) / 2',
        '(3 * squared - 1)',
        (RELAXATION,),
    ),
    Fault(
        'mean time of a stretched exponential without 1/beta',
        'analysis/stretched_exponential.py',
        'self.tau / self.beta * float',
        'self.tau * float',
        (RELAXATION,),
    ),
    Fault(
        'percolation by crossing the boundary, not by winding',
        GRAPH_CODE,
        'offsets[pairs[:, 0]] + graph.shifts - offsets[pairs[:, 1]]',
        'offsets[pairs[:, 0]] - offsets[pairs[:, 1]]',
        (GRAPH,),
    ),
    Fault(
        'percolation by spatial extent: a cluster percolates when it is as long as the box',
        GRAPH_CODE,
        '    pairs: IntArray\n    shifts: IntArray\n',
        '    pairs: IntArray\n    shifts: IntArray\n'
        '    fraction: FloatArray\n    reach: FloatArray\n',
        (GRAPH,),
        further=(
            (
                'len(positions), pairs, -np.rint(raw / box).astype(np.int64))',
                'len(positions), pairs, -np.rint(raw / box).astype(np.int64), positions / box, '
                'distance / box)',
            ),
            (
                '    np.logical_or.at(winds, owner, winding != 0)\n',
                '    low, high = np.full(winds.shape, np.inf), np.full(winds.shape, -np.inf)\n'
                '    np.minimum.at(low, label, graph.fraction + offsets)\n'
                '    np.maximum.at(high, label, graph.fraction + offsets)\n'
                '    winds = high - low + graph.reach >= 1\n',
            ),
            (
                '        dimension[percolating] = np.linalg.matrix_rank(gram[percolating], '
                'hermitian=True)\n',
                '        dimension[percolating] = winds[percolating].sum(axis=1)\n',
            ),
        ),
    ),
    Fault(
        'contact distance of bonds through the wall in the wrong direction',
        GRAPH_CODE,
        'pairs, -np.rint(raw / box)',
        'pairs, np.rint(raw / box)',
        (GRAPH,),
    ),
    Fault(
        'weight distribution not weighted',
        'analysis/clusters.py',
        '_distribution(sizes, number * sizes, shared)',
        '_distribution(sizes, number, shared)',
        (CLUSTERS,),
    ),
    Fault(
        'start of equilibrium ignored',
        'analysis/clusters.py',
        'start = equilibration.start if equilibration.is_equilibrated else 0',
        'start = 0',
        (CLUSTERS,),
    ),
    Fault(
        'transients that fill the run go unseen',
        'analysis/statistics.py',
        'TRANSIENT_IN_ERRORS = 3.0',
        'TRANSIENT_IN_ERRORS = 1e9',
        (STATISTICS,),
    ),
    Fault(
        'normal quantile for few replicas',
        'analysis/statistics.py',
        'half = _quantile(len(kept) - 1) * spread',
        'half = float(special.ndtri((1 + CONFIDENCE) / 2)) * spread',
        (STATISTICS,),
    ),
    Fault(
        'jackknife with the variance of independent values',
        'analysis/statistics.py',
        '(n - 1) / n * (deviation**2)',
        '1 / n / (n - 1) * (deviation**2)',
        (STATISTICS,),
    ),
    Fault(
        'correlation of a series ignored in its interval',
        'analysis/statistics.py',
        '    g = statistical_inefficiency(values)\n    blocks, is_sound',
        '    g = 1.0\n    blocks, is_sound',
        (STATISTICS,),
    ),
    Fault(
        'S(q) not divided by the number of particles',
        'analysis/structure_factor.py',
        '_intensity(snapshot.positions, vectors) / n',
        '_intensity(snapshot.positions, vectors)',
        ('tests/analysis/test_structure_factor.py',),
    ),
    Fault(
        'drift left in displacements',
        'analysis/mean_squared_displacement.py',
        'positions = unwrapped - weights @ unwrapped',
        'positions = unwrapped',
        ('tests/analysis/test_mean_squared_displacement.py',),
    ),
    Fault(
        'normal-stress differences with the weight of shear stresses',
        'analysis/stress_relaxation.py',
        '1 / 30)',
        '1 / 5)',
        ('tests/analysis/test_stress_relaxation.py',),
    ),
    Fault(
        'lags of the stress one row too long',
        'analysis/stress_relaxation.py',
        '[: most + 1]\n',
        '[1 : most + 2]\n',
        ('tests/analysis/test_stress_relaxation.py',),
    ),
    Fault(
        'chains not made whole across the boundary',
        'analysis/internal_distances.py',
        '    bonds -= snapshot.box * np.rint(bonds / snapshot.box)\n',
        '',
        ('tests/analysis/test_internal_distances.py',),
    ),
)


def copy_repository(target: Path) -> None:
    """Copy the files that git tracks or would track: no environments, no caches."""
    listed = subprocess.run(
        ['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z'],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in filter(None, listed.split('\0')):
        source, copy = ROOT / name, target / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def run_tests(folder: Path, tests: tuple[str, ...]) -> tuple[bool, str]:
    """Run tests until the first that fails; whether all passed, and what failed."""
    # Byte code is told from its source by time and length, which a fault may leave as they were.
    environment = os.environ | {'PYTHONDONTWRITEBYTECODE': '1'}
    command = [sys.executable, '-m', 'pytest', '-x', '-q', '--no-header', '-p', 'no:cacheprovider']
    try:
        done = subprocess.run(
            [*command, *tests],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_TEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f'no end within {LONGEST_TEST_SECONDS} s'
    if done.returncode == 0:
        return True, ''
    if done.returncode in NOT_TRIED:
        raise SystemExit(f'{" ".join(tests)}: pytest did not run them:\n{done.stdout}{done.stderr}')
    found = re.search(r'^(?:FAILED|ERROR) \S*/(\S+)', done.stdout, re.MULTILINE)
    return False, found[1] if found else f'exit code {done.returncode}'


def with_fault(source: str, fault: Fault) -> str:
    """The source of its file with the fault in it.

    Raises:
        SystemExit: If a text that it replaces does not stand there exactly once.
    """
    changed = source
    for right, wrong in fault.replacements:
        if source.count(right) != 1:
            raise SystemExit(
                f"'{fault.name}': {fault.path} has the text {source.count(right)} times, not "
                f'once: {right!r}. Write the fault anew.'
            )
        changed = changed.replace(right, wrong)
    return changed


def try_fault(folder: Path, fault: Fault) -> str | None:
    """Make the fault, run its tests, and mend it again.

    Returns:
        The test that failed; None where all passed.
    """
    path = folder / fault.path
    source = path.read_text(encoding='utf-8')
    path.write_text(with_fault(source, fault), encoding='utf-8')
    try:
        passed, failed = run_tests(folder, fault.tests)
    finally:
        path.write_text(source, encoding='utf-8')
    return None if passed else failed


def main() -> int:
    """Try all faults, or those whose names are given in part; 1 where one survives."""
    parser = argparse.ArgumentParser(prog='python -m tools.mutation_check', description=__doc__)
    parser.add_argument('parts', nargs='*', help='parts of the names of faults to try')
    parts = parser.parse_args().parts
    chosen = [f for f in FAULTS if not parts or any(part in f.name for part in parts)]
    commit = str(code_version('tools', 'tests').get('commit', 'not known'))
    outcomes: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix='isp-mutation-') as name:
        folder = Path(name)
        copy_repository(folder)
        for tests in dict.fromkeys(test for fault in chosen for test in fault.tests):
            passed, failed = run_tests(folder, (tests,))
            if not passed:
                raise SystemExit(f'{tests} fails without any fault: {failed}.')
        for fault in chosen:
            if fault.needs and importlib.util.find_spec(fault.needs) is None:
                outcome = f'not tried: needs {fault.needs}'
            else:
                outcome = try_fault(folder, fault) or SURVIVED
            outcomes[fault.name] = outcome
            print(f'{fault.name:66} {outcome}', flush=True)
    survivors = list(outcomes.values()).count(SURVIVED)
    print(f'{len(chosen)} faults, {survivors} survived')
    if not parts:
        PAGE.write_text(page(outcomes, commit))
    return 1 if survivors else 0


def page(outcomes: dict[str, str], commit: str) -> str:
    """The faults and what caught them, as a table."""
    lines = [
        '# Faults made on purpose',
        '',
        'Written by `python -m tools.mutation_check`: do not edit. Each fault is made in a copy of',
        'the source, and the tests that should notice it are run.',
        '',
        f'{time.strftime("%Y-%m-%d")}, commit {commit[:12]}: {len(FAULTS)} faults, '
        f'{list(outcomes.values()).count(SURVIVED)} survived.',
        '',
        '| fault | file | caught by |',
        '| --- | --- | --- |',
    ]
    for fault in FAULTS:
        lines.append(f'| {fault.name} | `{fault.path}` | {outcomes[fault.name]} |')
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    sys.exit(main())
