"""Content of a report: panels of series, marks on the time axis, tables and log lines."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Kind = Literal["step", "verdict", "fault"]
Style = Literal["solid", "dash", "dot"]


@dataclass(frozen=True)
class Line:
    """One series."""

    name: str
    times: Sequence[float]
    """Unix times."""
    values: Sequence[float]
    is_canary: bool = False
    style: Style = "solid"


@dataclass(frozen=True)
class Panel:
    """Series with the same unit. ``bounds`` are horizontal lines by name."""

    title: str
    unit: str
    lines: Sequence[Line]
    bounds: Sequence[tuple[str, float]] = ()
    description: str = ""


@dataclass(frozen=True)
class Mark:
    """An event on the time axis."""

    at: float
    """Unix time."""
    text: str
    kind: Kind = "step"


@dataclass(frozen=True)
class Table:
    """Rows of text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Report:
    """Everything that the page shows. ``missing`` says what could not be read, and why."""

    title: str
    start: float
    """Unix time."""
    end: float
    panels: list[Panel] = field(default_factory=list[Panel])
    marks: list[Mark] = field(default_factory=list[Mark])
    tables: list[Table] = field(default_factory=list[Table])
    missing: list[str] = field(default_factory=list[str])


def clock(at: float) -> str:
    """Local date and time of a Unix time."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
