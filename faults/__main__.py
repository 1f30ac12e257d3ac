"""`python -m faults`: a campaign of kills and damaged files; prints a table."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from faults.small_sweep import faults_in_outputs, make_job, start_run
from workflow.engines.selection import available_engines

# Longer than any run of the small sweep takes, however busy the machine.
_LONGEST_RUN = 300.0


@dataclass
class Outcome:
    """What became of a job after all faults that it suffered.

    Attributes:
        trials: Faults by kind.
        counts: Frames and rows lost, doubled or wrong, and sweeps that did not complete.
        messages: What was printed when a run did not complete.
    """

    trials: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)


def main() -> int:
    """Run the campaign; 1 if anything was lost, doubled or wrong."""
    parser = argparse.ArgumentParser(prog='python -m faults', description=__doc__)
    parser.add_argument('--kills', type=int, default=200)
    parser.add_argument('--damages', type=int, default=50, help='of each kind')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--parallel', type=int, default=2)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    engines = available_engines()
    print('engines:', ', '.join(engines))
    campaigns: list[tuple[Callable[..., Outcome], str, int]] = [
        (kill_job, 'kill', options.kills),
        *((damage_job, kind, options.damages) for kind in DAMAGES),
    ]
    failed = False
    print(f'{"fault":34} trials  lost  doubled  wrong  not completed')
    for attack, name, wanted in campaigns:
        total = Outcome()
        with tqdm(total=wanted, desc=name, disable=not sys.stderr.isatty()) as bar:
            while sum(total.trials.values()) < wanted:
                seeds = rng.integers(2**32, size=options.parallel).tolist()
                chosen = [engines[seed % len(engines)] for seed in seeds]
                with ThreadPoolExecutor(options.parallel) as pool:
                    for result in pool.map(partial(attack, name), chosen, seeds):
                        total.trials += result.trials
                        total.counts += result.counts
                        total.messages += result.messages
                        bar.update(sum(result.trials.values()))
        _print(name, total)
        failed = failed or bool(total.counts)
    return int(failed)


def kill_job(name: str, engine: str, seed: int) -> Outcome:
    """Kill the runs of one job at random moments, then let it end."""
    del name
    rng = np.random.default_rng(seed)
    outcome = Outcome()
    folder = Path(tempfile.mkdtemp(prefix='isp-faults-'))
    job = make_job(folder)
    for delay in rng.uniform(1.0, 7.0, 8):
        process = start_run(folder, engine)
        time.sleep(delay)
        stage = _stage(job)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            outcome.trials[f'kill in {stage}'] += 1
        process.communicate()
    _let_it_end(folder, job, engine, outcome)
    return outcome


def damage_job(kind: str, engine: str, seed: int) -> Outcome:
    """Stop one job while it samples, damage a file of it, then let it end."""
    rng = np.random.default_rng(seed)
    outcome = Outcome()
    folder = Path(tempfile.mkdtemp(prefix='isp-faults-'))
    job = make_job(folder)
    process = start_run(folder, engine)
    stage = job / 'sample.in_progress'
    target = stage / DAMAGES[kind]
    deadline = time.monotonic() + _LONGEST_RUN
    while not (stage / 'checkpoint.previous').exists() and process.poll() is None:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if target.exists():
        content = bytearray(target.read_bytes())
        if 'truncated' in kind:
            content = content[: int(rng.integers(len(content)))]
        else:
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        target.write_bytes(content)
        outcome.trials[kind] += 1
    _let_it_end(folder, job, engine, outcome)
    return outcome


DAMAGES = {
    'checkpoint bit flipped': 'checkpoint',
    'checkpoint truncated': 'checkpoint',
    'trajectory truncated': 'trajectory.gsd',
    'log truncated': 'thermo.rows',
}


def _let_it_end(folder: Path, job: Path, engine: str, outcome: Outcome) -> None:
    process = start_run(folder, engine)
    try:
        _, errors = process.communicate(timeout=_LONGEST_RUN)
    except BaseException:
        process.kill()
        raise
    if process.returncode == 0 and (job / 'relaxation.json').exists():
        outcome.counts += Counter(faults_in_outputs(job))
        shutil.rmtree(folder)
    else:
        outcome.counts['not completed'] += 1
        outcome.messages.append(f'{folder}: {errors.decode(errors="replace")[-500:]}')


def _stage(job: Path) -> str:
    for stage in ('relax', 'equilibrate', 'sample'):
        if (job / f'{stage}.in_progress').exists():
            return stage
    return 'between stages'


def _print(name: str, outcome: Outcome) -> None:
    counts = outcome.counts
    for kind, trials in sorted(outcome.trials.items()):
        print(f'  {kind:32} {trials:6}')
    print(
        f'{name:34} {sum(outcome.trials.values()):6} {counts["lost"]:5} {counts["doubled"]:8} '
        f'{counts["wrong"]:6} {counts["not completed"]:14}'
    )
    for message in outcome.messages:
        print(f'  {message}')


if __name__ == '__main__':
    sys.exit(main())
