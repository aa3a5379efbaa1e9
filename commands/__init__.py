"""The everyday tasks around ``pulumi up``: what ``make`` runs."""

import sys
from types import TracebackType


def _show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Ctrl-C is no fault whose place is of interest."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted: run the same command again to go on", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


# Here, for it may come while a command is still being imported.
sys.excepthook = _show
