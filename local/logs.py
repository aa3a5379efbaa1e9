"""The end of a log file, for error messages."""

from collections import deque
from pathlib import Path


def tail(log: Path, lines: int = 20) -> str:
    """Last lines of a log file, or "(no log)"."""
    if not log.exists():
        return "(no log)"
    with log.open(errors="replace") as file:
        return "".join(deque(file, lines)).rstrip()
