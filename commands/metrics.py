"""What Prometheus knows of the service, or the answer to any PromQL, as a table."""

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table

from commands.monitoring import Monitoring, Series, period, scope_of
from components.observability.dashboards.scope import Scope
from components.observability.dashboards.service import duration
from components.observability.slo import Slo

_OVER = "5m"
_TRACKS = ("stable", "canary")
_BARS = "▁▂▃▄▅▆▇█"
_MEBIBYTE = 2**20
_HIGHEST_OPEN = 100
"""Numbers below have decimals."""


def add_arguments(parser: ArgumentParser) -> None:
    """What `make metrics` passes on."""
    parser.add_argument("--query", default="")
    parser.add_argument("--range", default="")


def show(monitoring: Monitoring, arguments: Namespace, console: Console) -> None:
    """Print rate, errors and duration by track; or what the query asks for."""
    seconds = period(arguments.range, "RANGE") if arguments.range else 0
    if arguments.query:
        _show_query(monitoring, arguments.query, seconds, console)
    else:
        _show_service(monitoring, seconds, console)


def queries(scope: Scope) -> Mapping[str, str]:
    """The PromQL behind each column of the default table, by track."""
    of = scope.requests
    answered = f"sum by (track) (rate(http_requests_total{{{of}}}[{_OVER}]))"
    failed = f'sum by (track) (rate(http_requests_total{{{of},status=~"5.."}}[{_OVER}]))'
    return {
        "pods": f"count by (track) (up{{{of}}} == 1)",
        "requests/s": answered,
        "errors": f"({failed} or 0 * {answered}) / {answered}",
        **{f"p{q * 100:g}": duration(q, of, "track", _OVER) for q in (0.5, 0.95, 0.99)},
        "CPU": f"sum by (track) (rate(process_cpu_seconds_total{{{of}}}[{_OVER}]))",
        "memory": f"sum by (track) (process_resident_memory_bytes{{{of}}})",
    }


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def _mebibytes(value: float) -> str:
    return f"{value / _MEBIBYTE:.0f} MiB"


_FORMS: Mapping[str, Callable[[float], str]] = {
    "pods": "{:.0f}".format,
    "requests/s": "{:.2f}".format,
    "errors": "{:.2%}".format,
    "p50": _milliseconds,
    "p95": _milliseconds,
    "p99": _milliseconds,
    "CPU": "{:.3f} cores".format,
    "memory": _mebibytes,
}


def _show_service(monitoring: Monitoring, seconds: int, console: Console) -> None:
    scope = scope_of(monitoring.settings)
    versions: dict[str, list[str]] = {}
    for one in monitoring.now(f"count by (track, version) (beacon_build_info{{{scope.requests}}})"):
        versions.setdefault(one.labels.get("track", ""), []).append(one.labels.get("version", ""))
    columns = queries(scope)
    found = {
        name: _by_track(monitoring.over(query, seconds) if seconds else monitoring.now(query))
        for name, query in columns.items()
    }
    table = Table(title=f"{scope.service} in {scope.namespace}, last {_OVER}", title_justify="left")
    for column in ("track", "version", *columns):
        table.add_column(column, no_wrap=True, justify="left" if column == "track" else "right")
    for track in _TRACKS:
        if track not in versions and track not in found["pods"]:
            continue
        cells = [_cell(found[name].get(track), _FORMS[name], seconds) for name in columns]
        table.add_row(track, ", ".join(sorted(versions.get(track, ["-"]))), *cells)
    if not table.row_count:
        console.print(f"Prometheus knows no pod of {scope.service} yet: wait for the next scrape")
        return
    console.print(table)
    _show_budget(monitoring, scope.slo, console)


def _show_budget(monitoring: Monitoring, slo: Slo, console: Console) -> None:
    for sli in slo.slis:
        left = monitoring.now(slo.budget_remaining(sli))
        share = f"{left[0].value:.1%}" if left else "no request yet, all"
        console.print(
            f"error budget of {sli} ({float(slo.objective(sli)):.3%} over {slo.window}): "
            f"{share} left",
            style="red" if left and left[0].value < 0 else None,
            highlight=False,
        )


def _show_query(monitoring: Monitoring, query: str, seconds: int, console: Console) -> None:
    found = monitoring.over(query, seconds) if seconds else monitoring.now(query)
    if not found:
        console.print("no series: the query is right, but nothing answers to it")
        return
    names = sorted({name for series in found for name in series.labels})
    numbers = ("course", "least", "most", "last") if seconds else ("value",)
    table = Table()
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, no_wrap=True, justify="right")
    for series in found:
        labels = [series.labels.get(name, "") for name in names]
        real = [value for value in series.values if math.isfinite(value)] or [math.nan]
        cells = (
            [sparkline(series.values), *(number(n) for n in (min(real), max(real), series.value))]
            if seconds
            else [number(series.value)]
        )
        table.add_row(*labels, *cells)
    console.print(table)


def sparkline(values: tuple[float, ...]) -> str:
    """The course of a series in one line; a gap where there is no number."""
    real = [value for value in values if math.isfinite(value)]
    least, span = (min(real), max(real) - min(real)) if real else (0.0, 0.0)
    top = len(_BARS) - 1
    return "".join(
        _BARS[round((value - least) / span * top) if span else 0] if math.isfinite(value) else " "
        for value in values
    )


def number(value: float) -> str:
    """A number that is as long as it has to be."""
    if not math.isfinite(value) or value == int(value):
        return f"{value:.0f}" if math.isfinite(value) else str(value)
    return f"{value:.1f}" if abs(value) >= _HIGHEST_OPEN else f"{value:.4g}"


def _by_track(found: list[Series]) -> dict[str, Series]:
    return {series.labels.get("track", ""): series for series in found}


def _cell(series: Series | None, form: Callable[[float], str], seconds: int) -> str:
    if series is None or not math.isfinite(series.value):
        return "-"
    shown = form(series.value)
    return f"{sparkline(_thinned(series.values))} {shown}" if seconds else shown


def _thinned(values: tuple[float, ...], width: int = 12) -> tuple[float, ...]:
    """Every so many values, the newest among them, so that a cell stays narrow."""
    step = max(1, math.ceil(len(values) / width))
    return values[::-1][::step][::-1]
