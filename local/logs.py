"""What logs say at their end."""

import os
from pathlib import Path

_READ = 16_384
"""Bytes from the end in which the last lines are looked for."""


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log, or that there is none."""
    if not log.exists():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _READ))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
