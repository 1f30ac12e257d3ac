"""`python -m validation.needed_length 1 1/2`: how long two starts need until they agree.

The comparison of `start_states.py`, at lengths that do not fit into `make validate`: hours for the
dilute compositions. Prints a line for each length looked at, so that what is interrupted still
tells a bound, and then the composition's row of `docs/equilibration.md`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from fractions import Fraction

from validation.page import commit_here
from validation.sections.start_states import (
    CHAINS,
    LENGTHS,
    Comparison,
    Look,
    needed,
    outcome_text,
)


def main() -> None:
    """Run the named compositions one after another."""
    parser = argparse.ArgumentParser(prog='python -m validation.needed_length', description=__doc__)
    # Cheapest first: what takes hours stands last.
    parser.add_argument('fractions', nargs='*', type=Fraction, default=list(CHAINS)[::-1])
    parser.add_argument('--longest', type=float, default=4800.0, help='in tau; default: 4800')
    parser.add_argument('--engine', default='lammps')
    options = parser.parse_args()
    lengths = [LENGTHS[0]]
    while 2 * lengths[-1] <= options.longest:
        lengths.append(2 * lengths[-1])
    for fraction in options.fractions:
        started = time.monotonic()
        comparison = Comparison(fraction, options.engine)
        print(f'LSP {fraction}: at the start {comparison.beginnings}', flush=True)
        looks: list[Look] = []
        for look in comparison.looks(lengths):
            looks.append(look)
            seconds = time.monotonic() - started
            print(f'LSP {fraction}: {look} ({seconds:.0f} s)', flush=True)
        melt = (str(fraction), str(comparison.n_ions), str(len(comparison.sample.charges)))
        print('| ' + ' | '.join([*melt, *cells(looks)]) + ' |', flush=True)


def cells(looks: Sequence[Look]) -> list[str]:
    """What a row says of the looks at a composition, and how and when they were taken."""
    length, is_confirmed = needed(looks)
    last = looks[-1]
    if length is None:
        told = f'> {last.length:g}'
    else:
        told = f'{length:g}' if is_confirmed else f'{length:g}, not confirmed'
    command = ' '.join(['python -m validation.needed_length', *sys.argv[1:]])
    return [
        told,
        outcome_text(looks),
        last.slowest.replace('_', ' '),
        f'{last.inefficiency:.3g}',
        f'`{command}`',
        time.strftime('%Y-%m-%d', time.gmtime()),
        commit_here(),
    ]


if __name__ == '__main__':
    main()
