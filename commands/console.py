"""Console of the tables that commands print."""

import sys

from rich.console import Console

_WIDTH = 120
"""Columns when stdout is not a terminal."""


def new_console() -> Console:
    """Return the console of stdout."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH)
