"""The end of a log file, for error messages."""

import os
from pathlib import Path

_READ = 16_384
"""Bytes read from the end of the file."""


def tail(log: Path, lines: int = 20) -> str:
    """Last lines of a log file, or "(no log)"."""
    if not log.exists():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _READ))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
