"""Which dashboards there are, and every query in them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from components.observability.dashboards import (
    logs,
    monitoring,
    nodes,
    objective,
    overview,
    workload,
)
from components.observability.dashboards import service as requests
from components.observability.dashboards.panel import Dashboard, Source
from components.observability.dashboards.scope import Scope


@dataclass(frozen=True)
class Query:
    """One query of one panel, with Grafana's variables replaced by what they hold at first."""

    dashboard: str
    title: str
    """The panel's."""
    source: Source
    expr: str
    instant: bool
    """Asked for now; otherwise for a range of time."""
    empty: str
    """Why an empty answer is right. Empty itself: none is."""


def dashboards(scope: Scope) -> tuple[Dashboard, ...]:
    """All of a stack, in the order of a reader who goes from the whole to the detail."""
    return (
        overview.dashboard(scope),
        requests.dashboard(scope),
        objective.dashboard(scope),
        workload.dashboard(scope),
        nodes.dashboard(),
        logs.dashboard(scope),
        monitoring.dashboard(scope),
    )


def queries(of: Iterable[Dashboard]) -> Iterator[Query]:
    """What the panels ask, in their order."""
    for dashboard in of:
        for panel in dashboard.panels:
            for target in panel.targets:
                yield Query(
                    dashboard.name,
                    panel.title,
                    target.source,
                    _without_variables(target.expr, dashboard),
                    panel.kind in ("figure", "table"),
                    target.empty,
                )
        if dashboard.releases:
            expr = _without_variables(dashboard.releases, dashboard)
            yield Query(
                dashboard.name,
                "releases",
                "prometheus",
                expr,
                False,
                "no release in the time asked for",
            )


_GLOBAL = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}


def _without_variables(expr: str, dashboard: Dashboard) -> str:
    for name, value in _GLOBAL.items():
        expr = expr.replace(name, value)
    for variable in dashboard.variables:
        expr = expr.replace(f"${variable.name}", variable.anything)
    return expr
