"""String formats of Prometheus and of log lines."""

import re
from typing import Annotated

from settings.string_formats import StringFormat

SELECTOR = "$selector"
"""Placeholder in queries for the matchers of the service's namespace and name."""


def _is_regular_expression(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def _is_panel_query(text: str) -> bool:
    """True if ``text`` is a query of Grafana, which replaces the variables of the time range."""
    return _is_promql(re.sub(r"\$__(rate_interval|interval|range)\b", "5m", text))


def _is_promql(text: str) -> bool:
    import promql_parser  # noqa: PLC0415  # most stack files have no queries

    try:
        promql_parser.parse(text.replace(SELECTOR, 'namespace="n",service="s"'))
    except ValueError:
        return False
    return True


LabelName = Annotated[
    str, StringFormat("a label's name, like status", r"[a-zA-Z_][a-zA-Z0-9_]*", 100)
]
AlertName = Annotated[
    str, StringFormat("an alert's name in CamelCase, like ServicePanics", r"[A-Z][A-Za-z0-9]*", 100)
]
RegularExpression = Annotated[
    str,
    StringFormat(
        "a regular expression in RE2 syntax, like 5..", r"[^\n\"\\]+", 200, _is_regular_expression
    ),
]
PromQL = Annotated[
    str,
    StringFormat(
        "a PromQL query, like sum(rate(jobs_total{$selector}[5m]))", r"(.|\n)+", 4096, _is_promql
    ),
]
PanelQuery = Annotated[
    str,
    StringFormat(
        "a PromQL query, like sum(rate(jobs_total{$selector}[$__rate_interval]))",
        r"(.|\n)+",
        4096,
        _is_panel_query,
    ),
]
LogKey = Annotated[
    str, StringFormat("a key in JSON log lines, like level", r"[A-Za-z@_][A-Za-z0-9@_.-]*", 64)
]
