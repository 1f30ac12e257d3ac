"""Outputs of a stage on disk: any change is noticed, what can be mended is, without any engine."""

from __future__ import annotations

import multiprocessing
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import gsd.hoomd
import numpy as np
import pytest

from tests.systems import melt, state_point
from user_input import UserError
from workflow.engines.contract import THERMO_COLUMNS, State
from workflow.engines.lammps_engine import remove_leftovers, scratch_folder
from workflow.jobs import files as job_files
from workflow.jobs import products
from workflow.jobs.atomic_writes import renaming, replacing
from workflow.jobs.products import Product, result_product
from workflow.stages import thermo_writer, trajectory_writer
from workflow.stages.checkpoint import (
    Checkpoint,
    DamagedCheckpoint,
    read_checkpoint,
    read_latest_checkpoint,
    write_checkpoint,
)
from workflow.stages.gsd_layout import FrameMark, restore
from workflow.stages.table import stage_product
from workflow.stages.thermo_writer import RowMark, ThermoLog
from workflow.stages.trajectory_writer import TrajectoryLog

CLUSTERS = result_product('clusters')
MARKED, WRITTEN = 40, 90  # the index of a GSD file moves at 128 entries: between the two


def states(n_beads: int, number: int) -> Iterator[State]:
    rng = np.random.default_rng(1)
    for step in range(number):
        positions = rng.uniform(-4, 4, (n_beads, 3))
        images = rng.integers(-2, 2, (n_beads, 3), dtype=np.int32)
        yield State(step, np.full(3, 9.0), positions, images, positions)


@pytest.fixture(scope='module')
def marked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FrameMark, list[bytes]]:
    """A trajectory, what it was told by before it was complete, and its frames until then."""
    path = tmp_path_factory.mktemp('marked') / 'trajectory.gsd'
    topology, _ = melt(state_point('isp', {'LSP': 0.5, 'DOPA': 0.5}))
    with TrajectoryLog(path, topology, 0.01) as log:
        for number, state in enumerate(states(int(topology.particles.N), WRITTEN)):
            if number == MARKED:
                log.flush()
                mark = log.mark()
            log.append(state)
    assert mark is not None
    return path, mark, frames(path)[:MARKED]


def frames(path: Path) -> list[bytes]:
    with gsd.hoomd.open(path) as trajectory:
        return [
            frame.particles.position.tobytes() + frame.particles.image.tobytes()
            for frame in trajectory
        ]


def test_what_cannot_be_read_now_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / 'checkpoint'
    path.mkdir()  # reading it fails as it would from a disk that does not answer
    with pytest.raises(UserError, match='cannot be read now'):
        read_latest_checkpoint(path, lambda checkpoint: '', 10)
    with pytest.raises(UserError, match='cannot be read now'):
        thermo_writer.find_corruption(path, RowMark(3, 7))


def test_a_trajectory_is_cut_back_to_its_mark(
    marked: tuple[Path, FrameMark, list[bytes]], tmp_path: Path
) -> None:
    source, mark, before = marked
    path = tmp_path / 'trajectory.gsd'
    path.write_bytes(source.read_bytes())
    assert trajectory_writer.find_corruption(path, mark) == ''
    restore(path, mark)
    assert frames(path) == before
    assert path.stat().st_size == mark.length


def test_any_flipped_bit_is_noticed_or_mended(
    marked: tuple[Path, FrameMark, list[bytes]], tmp_path: Path
) -> None:
    source, mark, before = marked
    content = source.read_bytes()
    rng = np.random.default_rng(2)
    # The header and the first index closely, and bytes anywhere.
    header_and_index = [*range(0, 80, 3), *range(256, 256 + 128 * 32, 29)]
    anywhere = rng.integers(len(content), size=150).tolist()
    noticed = 0
    path = tmp_path / 'trajectory.gsd'
    for position in [*header_and_index, *anywhere]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        if trajectory_writer.find_corruption(path, mark):
            noticed += 1
        else:
            restore(path, mark)
            assert frames(path) == before
    assert noticed > 30


def test_a_truncated_trajectory_is_noticed(
    marked: tuple[Path, FrameMark, list[bytes]], tmp_path: Path
) -> None:
    source, mark, _ = marked
    path = tmp_path / 'trajectory.gsd'
    path.write_bytes(source.read_bytes()[: mark.length - 1])
    assert f'{mark.length - 1} bytes of {mark.length}' in trajectory_writer.find_corruption(
        path, mark
    )
    path.unlink()
    assert 'missing' in trajectory_writer.find_corruption(path, mark)


def test_a_trajectory_goes_on_from_its_mark(
    marked: tuple[Path, FrameMark, list[bytes]], tmp_path: Path
) -> None:
    source, mark, _ = marked
    path = tmp_path / 'trajectory.gsd'
    path.write_bytes(source.read_bytes())
    topology, _ = melt(state_point('isp', {'LSP': 0.5, 'DOPA': 0.5}))
    with TrajectoryLog(path, topology, 0.01, mark) as log:
        for state in list(states(int(topology.particles.N), WRITTEN))[MARKED:]:
            log.append(state)
        log.flush()
        end = log.mark()
    assert frames(path) == frames(source)
    assert trajectory_writer.find_corruption(path, end) == ''


def test_any_flipped_bit_of_the_rows_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / 'thermo.rows'
    rows = np.random.default_rng(3).normal(size=(20, len(THERMO_COLUMNS)))
    with ThermoLog(path, RowMark()) as log:
        log.append(rows[:15])
        mark = log.mark
        log.append(rows[15:])
    content = path.read_bytes()
    belongs = 15 * 8 * len(THERMO_COLUMNS)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 16
        path.write_bytes(damaged)
        assert bool(thermo_writer.find_corruption(path, mark)) == (position < belongs)
    path.write_bytes(content[: belongs - 1])
    assert f'{belongs - 1} bytes of {belongs}' in thermo_writer.find_corruption(path, mark)


def test_a_checkpoint_is_read_as_it_was_written_or_not_at_all(
    marked: tuple[Path, FrameMark, list[bytes]], tmp_path: Path
) -> None:
    state = next(states(10, 1))
    path = tmp_path / 'checkpoint'
    write_checkpoint(path, Checkpoint(state, marked[1], RowMark(3, 7)))
    again = read_checkpoint(path)
    assert (again.frames, again.rows) == (marked[1], RowMark(3, 7))
    np.testing.assert_array_equal(again.state.velocities, state.velocities)
    content = path.read_bytes()
    for position in np.random.default_rng(4).integers(len(content), size=100).tolist():
        damaged = bytearray(content)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(DamagedCheckpoint):
            read_checkpoint(path)
        path.write_bytes(content[:position])
        with pytest.raises(DamagedCheckpoint):
            read_checkpoint(path)


class Killed(BaseException):
    """Stands for a SIGKILL: nothing that is to happen afterwards does."""


def test_the_checkpoint_fallen_back_to_outlives_a_kill_in_the_next_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'checkpoint'
    first, second, third = (Checkpoint(state) for state in states(10, 3))
    write_checkpoint(path, first)
    write_checkpoint(path, second)
    path.write_bytes(path.read_bytes()[:-1])
    found, notes = read_latest_checkpoint(path, lambda checkpoint: '', 10)
    assert found is not None
    assert (found.state.step, 'checkpoint is damaged' in notes[0]) == (0, True)

    whole_replace = os.replace

    def killed_after(source: Path, target: Path) -> None:
        whole_replace(source, target)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', killed_after)
        with pytest.raises(Killed):
            write_checkpoint(path, third)
    assert not path.exists()  # it was killed between the two renames
    found, notes = read_latest_checkpoint(path, lambda checkpoint: '', 10)
    assert found is not None
    assert (found.state.step, notes) == (0, [])
    write_checkpoint(path, third)
    assert read_checkpoint(path).state.step == 2
    assert read_checkpoint(path.with_name('checkpoint.previous')).state.step == 0


@pytest.mark.parametrize('write', [replacing, renaming])
def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, write: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    path = tmp_path / 'a.json'
    path.write_text('before')

    def fail() -> None:
        with write(path) as temporary:
            temporary.write_text('half')
            raise OSError('full')

    with pytest.raises(OSError, match='full'):
        fail()
    assert path.read_text() == 'before'
    assert list(tmp_path.iterdir()) == [path]
    with write(path) as temporary:
        temporary.write_text('after')
        assert path.read_text() == 'before'
    assert path.read_text() == 'after'
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_and_no_more(tmp_path: Path) -> None:
    dead = multiprocessing.get_context('fork').Process(target=int)
    dead.start()
    dead.join()
    host = socket.gethostname()
    name = f'a.json.{host}.{dead.pid}.temporary'
    left = [tmp_path / name, tmp_path / f'{name}.{host}.{dead.pid}.temporary']
    others = [
        tmp_path / f'a.json.{host}.{os.getppid()}.temporary',  # it runs
        tmp_path / f'a.json.elsewhere.{dead.pid}.temporary',
        tmp_path / f'b.json.{host}.{dead.pid}.temporary',
    ]
    for path in (*left, *others):
        path.write_text('half')
    job_files.write_json(tmp_path / 'a.json', {})
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / 'a.json', *others])


def test_scratch_folders_of_killed_processes_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    dead = multiprocessing.get_context('fork').Process(target=int)
    dead.start()
    dead.join()
    host = socket.gethostname()
    left = tmp_path / f'isp-lammps-{host}-{dead.pid}-abc'
    linked = tmp_path / 'not a scratch folder'
    others = [
        tmp_path / f'isp-lammps-{host}-{os.getppid()}-abc',  # it runs
        tmp_path / f'isp-lammps-elsewhere-{dead.pid}-abc',
        tmp_path / 'isp-lammps-abc',
        linked,
    ]
    for folder in (left, *others):
        folder.mkdir()
        (folder / 'thermo.txt').write_text('1')
    link = tmp_path / f'isp-lammps-{host}-{dead.pid}-link'
    link.symlink_to(linked)
    own = scratch_folder()
    remove_leftovers()
    assert not left.exists()
    assert Path(own.name).is_dir()
    assert link.is_symlink()
    assert all((folder / 'thermo.txt').exists() for folder in others)
    own.cleanup()


def _make_product(folder: Path, content: bytes) -> None:
    for _ in range(40):
        with products.writing(folder, CLUSTERS) as path:
            path.write_bytes(content)


def test_processes_that_make_the_same_product_do_not_disturb_each_other(tmp_path: Path) -> None:
    contents = [bytes([number]) * 100_000 for number in range(3)]
    _make_product(tmp_path, contents[0])
    processes = [
        multiprocessing.get_context('fork').Process(target=_make_product, args=(tmp_path, content))
        for content in contents
    ]
    for process in processes:
        process.start()
    read = 0
    while any(process.is_alive() for process in processes):
        assert products.whole(tmp_path, CLUSTERS).stat().st_size == 100_000
        read += 1
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert read > 10
    assert products.whole(tmp_path, CLUSTERS).read_bytes() in contents
    assert sorted(path.name for path in tmp_path.rglob('*')) == sorted(
        ['checksums', '.lock', 'clusters.json.b2', 'clusters.json']
    )


@pytest.mark.parametrize(
    ('product', 'first', 'operation'),
    [
        (stage_product(job_files.RELAXED), job_files.RELAXED, 'relax'),
        (stage_product(job_files.THERMO), job_files.TRAJECTORY, 'sample'),
        (CLUSTERS, 'clusters.json', 'clusters'),
    ],
)
def test_a_damaged_product_is_told_with_what_to_do(
    tmp_path: Path, product: Product, first: str, operation: str
) -> None:
    name = product.name
    with products.writing(tmp_path, product) as path:
        path.write_bytes(b'what was written')
    assert products.whole(tmp_path, product).read_bytes() == b'what was written'
    assert not list(tmp_path.glob('*.temporary'))
    for content in (b'what was writtem', b'what was', b''):
        (tmp_path / name).write_bytes(content)
        what = f"{name}: is damaged.*Delete .*{first} and run the job again: '{operation}'"
        with pytest.raises(UserError, match=what):
            products.whole(tmp_path, product)


def test_a_product_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with products.writing(tmp_path, stage_product(job_files.BUILT)) as path:
            path.write_bytes(b'half')
            raise OSError('full')

    with pytest.raises(OSError, match='full'):
        fail()
    assert not list(tmp_path.iterdir())
