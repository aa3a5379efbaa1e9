"""Restarts supervisord: a program of supervisord that outlives it.

If this process dies, supervisord restarts it; if supervisord dies (also by `kill -9`), this process
becomes the new supervisord. Only if both die at once does the node stay down, until the next `up`.

Usage: watchdog.py COMMAND…   (the command that starts supervisord as a daemon)
"""

import os
import select
import sys
from pathlib import Path


def main() -> None:
    """Wait until the parent process ends, without polling, then start it again."""
    parent = os.getppid()
    handle = os.pidfd_open(parent)
    # If supervisord ended before this line, the parent is another process by now.
    if b"supervisor" in Path(f"/proc/{parent}/cmdline").read_bytes():
        select.select([handle], [], [])
    os.close(handle)
    # These pipes ended with the old supervisord; the new one writes to its own log.
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606


if __name__ == "__main__":
    main()
