"""Brings the supervisor back: supervisord runs this program, and this program outlives it.

If this process dies, supervisord starts it again; if supervisord dies (`kill -9` too), this process
becomes a new supervisord. Only both at once bring the node down, and then `up` starts it again.

Usage: guardian.py COMMAND…   (the command that starts supervisord, in the foreground)
"""

import os
import select
import sys


def main() -> None:
    """Waits for the end of the parent, without polling, then takes its place."""
    supervisor = os.pidfd_open(os.getppid())
    select.select([supervisor], [], [])
    os.close(supervisor)
    os.setsid()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606


if __name__ == "__main__":
    main()
