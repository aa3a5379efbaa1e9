"""Brings the supervisor back: supervisord runs this program, and this program outlives it.

If this process dies, supervisord starts it again; if supervisord dies (`kill -9` too), this process
becomes a new supervisord. Only both at once bring the node down, and then `up` starts it again.

Usage: watchdog.py COMMAND…   (the command that starts supervisord as a daemon)
"""

import os
import select
import sys
from pathlib import Path


def main() -> None:
    """Waits for the end of the parent, without polling, then takes its place."""
    parent = os.getppid()
    handle = os.pidfd_open(parent)
    # Whose child this is by now is someone else, if the supervisor ended before this line.
    if b"supervisor" in Path(f"/proc/{parent}/cmdline").read_bytes():
        select.select([handle], [], [])
    os.close(handle)
    # What it wrote to ended with the old supervisor; the new one has a log of its own.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606


if __name__ == "__main__":
    main()
