"""Commands around ``pulumi up``: the code behind the make targets."""

import atexit
import gc
import sys
from types import TracebackType


def _print_exception(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted: run the same command again to continue", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


# Set in the package: Ctrl-C may come while a command is still being imported.
sys.excepthook = _print_exception

# A command lives for seconds. Searching the modules and resources in its memory for cycles takes a
# tenth of a second by default, and at its end half a second.
gc.set_threshold(200_000)
atexit.register(gc.freeze)
