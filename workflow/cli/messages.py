"""What the rooms log, as their users read it: the message alone, trouble on standard error."""

from __future__ import annotations

import logging
import sys


class _Console(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Print to the streams of this moment: they may be redirected."""
        is_trouble = record.levelno >= logging.WARNING
        print(self.format(record), file=sys.stderr if is_trouble else sys.stdout, flush=is_trouble)


def show_messages() -> None:
    """Show what `workflow` logs, from INFO on, once and not by handlers of libraries."""
    logger = logging.getLogger('workflow')
    logger.setLevel(logging.INFO)
    logger.propagate = False  # signac-flow gives the root logger a handler of its own
    logger.handlers = [_Console()]
