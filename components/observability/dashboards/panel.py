"""What a dashboard shows: panels, the queries in them, and what its reader can choose."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Source = Literal["prometheus", "loki"]
"""A data source, by the uid under which it is provisioned."""
Unit = Literal[
    "reqps", "percentunit", "s", "dateTimeFromNow", "bytes", "Bps", "cps", "short", "suffix: cores"
]
"""A unit of Grafana."""
Kind = Literal["graph", "figure", "table", "lines"]
"""Series over time, one large number, a table of the newest values, or log lines."""


@dataclass(frozen=True)
class Promql:
    """A query to Prometheus."""

    expr: str
    """PromQL; may hold Grafana's variables."""
    legend: str
    """What each series is called, with ``{{label}}``."""
    exemplars: bool = False
    """Whether the traces behind the numbers are shown as points."""
    empty: str = ""
    """Why there may be no answer. Left out: there always is one."""

    source: Source = field(default="prometheus", init=False)


@dataclass(frozen=True)
class Logql:
    """A query to Loki."""

    expr: str
    """LogQL; may hold Grafana's variables."""
    legend: str
    """What each series is called, with ``{{label}}``."""
    empty: str = ""
    """Why there may be no answer. Left out: there always is one."""

    source: Source = field(default="loki", init=False)


Target = Promql | Logql


@dataclass(frozen=True)
class Bounds:
    """From which value on something is worth a look, and from which it is bad.

    With ``worse`` below ``warn``, small values are the bad ones.
    """

    warn: float
    worse: float


@dataclass(frozen=True)
class Panel:
    """One panel. All its queries ask the same data source."""

    title: str
    description: str
    """What is seen, and what to make of it."""
    unit: Unit
    targets: tuple[Target, ...]
    kind: Kind = "graph"
    bounds: Bounds | None = None
    """Colours. Left out: none."""
    width: int = 12
    """Of 24."""
    height: int = 8
    stacked: bool = False
    highest: float | None = None
    """Where the axis ends. Left out: at the highest value."""
    lowest: float | None = 0
    """Where it starts. ``None``: at the lowest value."""

    @property
    def source(self) -> Source:
        """The data source that is asked."""
        return self.targets[0].source


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """What the reader chooses: the values of a label, or any text."""

    name: str
    label: str
    """What it is called on the dashboard."""
    values: str = ""
    """``label_values(…)`` of Prometheus. Left out: a field to type into."""
    default: str = ""
    """What a field holds that nothing was typed into."""

    @property
    def anything(self) -> str:
        """What stands in a query while nothing has been chosen; a regular expression."""
        return self.default if not self.values else ".*"


@dataclass(frozen=True)
class Dashboard:
    """One dashboard."""

    name: str
    """The file's name without suffix; the uid is made of it."""
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    releases: str = ""
    """PromQL whose series start when a version is released: they become annotations."""
    since: str = "1h"
    """The time that is shown at first, back from now."""

    @property
    def panels(self) -> Iterator[Panel]:
        """Those of every row."""
        return (panel for row in self.rows for panel in row.panels)
