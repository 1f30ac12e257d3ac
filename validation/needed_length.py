"""`python -m validation.needed_length 1 1/2 --write`: how long two starts need until they agree.

The comparison of `start_states.py`, at lengths that do not fit into `make validate`:
hours for the dilute compositions. Prints a line for each length looked at, so that what is
interrupted still tells a bound; `--write` keeps `docs/equilibration.md` up to date with each.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from validation.page import commit_here
from validation.sections.start_states import LENGTHS, Comparison, Look, error_context, needed

ROOT = Path(__file__).parent.parent
TABLE = ROOT / 'docs' / 'equilibration.md'
# Cheapest first: what takes hours stands last.
FRACTIONS = tuple(Fraction(text) for text in ('1', '2/3', '1/2', '1/3', '1/5', '1/10', '1/20'))
COLUMNS = (
    'LSP fraction',
    'ions',
    'beads',
    'length needed [tau]',
    'outcome',
    'slowest quantity',
    'its inefficiency [tau]',
    'command',
    'date',
    'commit',
)
HEAD = """# Equilibration of ion clusters

Written by `python -m validation.needed_length --write`: do not edit. Two starts of compositions
of `sweeps/isp.toml`, one with dispersed and one with aggregated ions, are run until both are called
equilibrated and six cluster results agree at 95 %, at one length and at twice that length
(`start_states.py`). Melts of chains of 20 units at kT 1, density 0.85 and Bjerrum length
16 sigma, Langevin friction 0.2. `>` is a bound: not settled at the longest time looked at. The
inefficiency is the time that is worth one independent value of the slowest quantity, found from the
longest run: where nothing is settled it is a lower bound too. A command is that of the commit
beside it; compositions differ in how long they were looked at.
"""


@dataclass(frozen=True)
class Entry:
    """What is known of a composition so far, and how.

    Attributes:
        fraction: LSP fraction.
        n_ions: Ions in the melt.
        n_beads: Beads in the melt.
        looks: Both runs after each length.
        command: The command.
        commit: Of the working copy; ends in '+' if that was changed.
    """

    fraction: Fraction
    n_ions: int
    n_beads: int
    looks: Sequence[Look]
    command: str
    commit: str

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        length, is_confirmed = needed(self.looks)
        last = self.looks[-1]
        if length is None:
            told = f'> {last.length:g}'
        else:
            told = f'{length:g}' if is_confirmed else f'{length:g}, not confirmed'
        outcome = error_context(self.looks)
        apart = [f'{look.length:g}' for look in self.looks if look.is_apart]
        if apart:
            outcome += f'; called equilibrated and yet apart after {", ".join(apart)} tau'
        return (
            str(self.fraction),
            str(self.n_ions),
            str(self.n_beads),
            told,
            outcome,
            last.slowest.replace('_', ' '),
            f'{last.inefficiency:.3g}',
            f'`{self.command}`',
            time.strftime('%Y-%m-%d', time.gmtime()),
            self.commit,
        )


def main() -> None:
    """Run the named compositions one after another."""
    parser = argparse.ArgumentParser(prog='python -m validation.needed_length', description=__doc__)
    parser.add_argument('fractions', nargs='*', type=Fraction, default=list(FRACTIONS))
    parser.add_argument('--longest', type=float, default=4800.0, help='in tau; default: 4800')
    parser.add_argument('--engine', default='lammps')
    parser.add_argument('--write', action='store_true', help=f'keep {TABLE.name} up to date')
    options = parser.parse_args()
    command = ' '.join(['python -m validation.needed_length', *sys.argv[1:]])
    lengths = [LENGTHS[0]]
    while 2 * lengths[-1] <= options.longest:
        lengths.append(2 * lengths[-1])
    commit = commit_here()
    for fraction in options.fractions:
        started = time.monotonic()
        comparison = Comparison(fraction, options.engine)
        print(f'LSP {fraction}: at the start {comparison.beginnings}', flush=True)
        looks: list[Look] = []
        for look in comparison.looks(lengths):
            looks.append(look)
            seconds = time.monotonic() - started
            print(f'LSP {fraction}: {look} ({seconds:.0f} s)', flush=True)
            if options.write:
                n_beads = len(comparison.sample.charges)
                write(Entry(fraction, comparison.n_ions, n_beads, looks, command, commit))
        print(f'LSP {fraction}: {error_context(looks)}', flush=True)


def write(entry: Entry, path: Path = TABLE) -> None:
    """Put one row into the table; the rows of other compositions stay."""
    rows = read(path) | {entry.fraction: '| ' + ' | '.join(entry.cells()) + ' |'}
    lines = [
        HEAD,
        '| ' + ' | '.join(COLUMNS) + ' |',
        '|' + ' --- |' * len(COLUMNS),
        *(rows[fraction] for fraction in sorted(rows)),
    ]
    own = path.with_name(f'{path.name}.{os.getpid()}')  # another process may write other rows
    own.write_text('\n'.join(lines) + '\n')
    os.replace(own, path)


def read(path: Path) -> dict[Fraction, str]:
    """LSP fraction -> its row as it stands in the table."""
    if not path.exists():
        return {}
    rows = [line for line in path.read_text().splitlines() if line.startswith('| ')][2:]
    return {Fraction(row.split('|')[1].strip()): row for row in rows}


if __name__ == '__main__':
    main()
