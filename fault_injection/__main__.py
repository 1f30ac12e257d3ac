"""`python -m fault_injection`: kills, damaged files and full disks; prints a table."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

import numpy as np
from rich.progress import track

from fault_injection.damages import DAMAGES, TARGETS, Target, damage_job, stopped_job
from fault_injection.disks import bytes_needed, can_mount, fill_disk
from fault_injection.kills import KINDS, kill_job
from fault_injection.outcome import COUNTS, Outcome
from workflow.engines.selection import available_engines

Trial = Callable[[], Outcome]

# As many as there are places to aim at, so that each is met.
_KILLS_OF_A_JOB = 12
# Copies of one stopped job that are damaged, each in its own way.
_DAMAGES_OF_A_JOB = 13


def main() -> int:
    """Run the campaign; 1 if anything was lost, doubled, wrong, or not told clearly."""
    parser = argparse.ArgumentParser(prog='python -m fault_injection', description=__doc__)
    parser.add_argument('--kills', type=int, default=200, help='with SIGKILL')
    parser.add_argument('--stops', type=int, default=20, help='with SIGTERM, and with SIGUSR1')
    parser.add_argument('--damages', type=int, default=50, help='of each kind')
    parser.add_argument('--fills', type=int, default=20, help='of a small disk, for each engine')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--parallel', type=int, default=2)
    options = parser.parse_args()
    engines, started, total = available_engines(), time.monotonic(), Outcome()
    print('engines:', ', '.join(engines))
    rng = np.random.default_rng(options.seed)
    with ThreadPoolExecutor(options.parallel) as pool:
        for number, kind in KINDS.items():
            wanted = options.kills if number == signal.SIGKILL else options.stops
            # Runs that end before they are killed make room for more.
            while (missing := wanted - total.trials_of(kind)) > 0:
                _carry_out(kind, _kills(missing, number, engines, rng), pool, total)
        _carry_out('damages', _damages(options.damages, engines, rng), pool, total)
        _carry_out('disks', _disks(options.fills, engines), pool, total)
    print(total.table())
    print(f'({time.monotonic() - started:.0f} s, seed {options.seed})')
    return int(any(number for (*_, name), number in total.counts.items() if name in COUNTS))


def _carry_out(
    name: str, trials: Iterator[Trial], pool: ThreadPoolExecutor, total: Outcome
) -> None:
    waiting = [pool.submit(trial) for trial in trials]
    for done in track(as_completed(waiting), name, len(waiting)):
        total.add(done.result())


def _kills(
    wanted: int, number: signal.Signals, engines: list[str], rng: np.random.Generator
) -> Iterator[Trial]:
    """Jobs that get a signal often enough, the engines in turn."""
    for turn, done in enumerate(range(0, wanted, _KILLS_OF_A_JOB)):
        engine, kills = engines[turn % len(engines)], min(_KILLS_OF_A_JOB, wanted - done)
        yield partial(kill_job, engine, int(rng.integers(2**32)), kills, [number])


def _damages(wanted: int, engines: list[str], rng: np.random.Generator) -> Iterator[Trial]:
    for name, targets in TARGETS.items():
        several = min(_DAMAGES_OF_A_JOB, -(-wanted // len(targets)))
        for damage in DAMAGES:
            for number, done in enumerate(range(0, wanted, several or 1)):
                engine, target = engines[number % len(engines)], targets[number % len(targets)]
                seed, copies = int(rng.integers(2**32)), min(several, wanted - done)
                yield partial(_damage_copies, name, target, damage, engine, seed, copies)


def _damage_copies(
    name: str, target: Target, damage: str, engine: str, seed: int, copies: int
) -> Outcome:
    outcome, rng = Outcome(), np.random.default_rng(seed)
    stopped = stopped_job(target, engine, seed)
    for each in rng.integers(2**32, size=copies).tolist():
        outcome.add(damage_job(name, target, damage, engine, each, stopped))
    shutil.rmtree(stopped)
    return outcome


def _disks(fills: int, engines: list[str]) -> Iterator[Trial]:
    if not fills:
        return
    if not can_mount():
        print('full and read-only disks are left out: mounting a tmpfs takes root')
        return
    for engine in engines:
        needed = bytes_needed(engine)
        for number in range(fills):
            left = int(needed * (number + 0.5) / fills)
            yield partial(fill_disk, engine, left, bool(number % 2))


if __name__ == '__main__':
    sys.exit(main())
