"""`python -m validation.needed_length 1/2 1/3 ...`: how long two starts need until they agree.

The comparison of `validation/start_states.py`, at lengths that do not fit into `make validate`: an
hour and more for the dilute compositions. Prints a line for each LSP fraction.
"""

from __future__ import annotations

import argparse
from fractions import Fraction

from validation.start_states import CHAINS, LENGTHS, two_starts


def main() -> None:
    """Run the named compositions one after another."""
    parser = argparse.ArgumentParser(prog='python -m validation.needed_length', description=__doc__)
    parser.add_argument('fractions', nargs='*', type=Fraction, default=list(CHAINS))
    parser.add_argument('--doublings', type=int, default=3, help='beyond those of the page')
    parser.add_argument('--engine', default='lammps')
    options = parser.parse_args()
    lengths = tuple(LENGTHS[-1] * 2**n for n in range(options.doublings + 1))
    for fraction in options.fractions:
        for row in two_starts(fraction, options.engine, lengths):
            print(f'{row.claim}: {row.measured} ({row.verdict})', flush=True)


if __name__ == '__main__':
    main()
