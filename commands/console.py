"""Console of the tables that commands print."""

import sys

from rich.console import Console

_WIDTH = 120
"""Columns when stdout is not a terminal."""
WIDE = 140
"""The same for tables with texts, such as reasons."""


def new_console(width: int = _WIDTH) -> Console:
    """Return the console of stdout. ``width`` is that of another stdout than a terminal."""
    return Console(width=None if sys.stdout.isatty() else width)
