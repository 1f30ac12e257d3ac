"""Counting what became of faults."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

COUNTS = ('lost', 'doubled', 'wrong', 'unclear', 'not completed')
ANSWERS = ('detected', 'harmless')
# No fault, where nothing was left to go on from: but what was kept is then not compared.
ANEW = 'began anew'


@dataclass
class Outcome:
    """What became of faults.

    Attributes:
        trials: Faults by (kind, where, engine).
        answers: By (kind, engine) and one of ANSWERS: told of, or without any effect; and ANEW:
            a stage that was under way began anew.
        counts: By (kind, engine) and one of COUNTS: frames and rows lost, doubled or wrong, runs
            that ended without a clear message, and jobs that did not complete.
        messages: What was said where a count is not zero.
    """

    trials: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    answers: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Take in another outcome."""
        self.trials += other.trials
        self.answers += other.answers
        self.counts += other.counts
        self.messages += other.messages

    def trials_of(self, kind: str) -> int:
        """How many faults of a kind."""
        return sum(number for (each, *_), number in self.trials.items() if each == kind)

    def table(self) -> str:
        """One line for each kind of fault and engine, and the trials by place below."""
        head = f'{"fault":28} {"engine":7} {"trials":>6}'
        lines = [head + ''.join(f'{name:>14}' for name in (*ANSWERS, ANEW, *COUNTS))]
        for kind, engine in sorted({(kind, engine) for kind, _, engine in self.trials}):
            places = {w: n for (k, w, e), n in self.trials.items() if (k, e) == (kind, engine)}
            answers = [str(self.answers[kind, engine, name]) for name in ANSWERS]
            if not any(self.answers[kind, engine, name] for name in ANSWERS):
                answers = ['', '']  # nobody can tell of a kill
            answers.append(str(self.answers[kind, engine, ANEW]))
            counts = [str(self.counts[kind, engine, name]) for name in COUNTS]
            lines.append(
                f'{kind:28} {engine:7} {sum(places.values()):6}'
                + ''.join(f'{value:>14}' for value in (*answers, *counts))
            )
            if len(places) > 1:
                lines.append('    ' + ', '.join(f'{w} {n}' for w, n in sorted(places.items())))
        return '\n'.join([*lines, *self.messages])
