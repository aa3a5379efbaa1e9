"""Queries of dashboards, read from the JSON that Grafana reads."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}


@dataclass(frozen=True)
class Query:
    """Query of a panel or annotation, with Grafana's variables replaced by their defaults."""

    dashboard: str
    panel: str
    source: str
    """``prometheus`` or ``loki``."""
    expr: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}"


def queries(dashboards: Mapping[str, str]) -> Iterator[Query]:
    """Return the queries of dashboards, given by file name."""
    for file, text in dashboards.items():
        dashboard, name = json.loads(text), file.removesuffix(".json")
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                expr = _replace_variables(target["expr"], dashboard)
                instant = target.get("instant", False)
                yield Query(name, panel["title"], target["datasource"]["type"], expr, instant)
        for annotation in dashboard["annotations"].get("list") or []:
            if annotation["datasource"]["type"] == "prometheus":
                expr = _replace_variables(annotation["expr"], dashboard)
                yield Query(name, annotation["name"], "prometheus", expr, instant=False)


def _replace_variables(expr: str, dashboard: Mapping[str, Any]) -> str:
    for name, value in _VARIABLES.items():
        expr = expr.replace(name, value)
    for variable in dashboard["templating"].get("list") or []:
        default = "" if variable["type"] == "textbox" else "beacon"
        expr = expr.replace(f"${variable['name']}", variable.get("allValue", default))
    return expr
