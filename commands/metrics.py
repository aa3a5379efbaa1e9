"""``make metrics``: rate, errors and duration by track, or any PromQL query, as a table."""

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table

from commands.make_variables import parse_duration
from commands.observability_client import ObservabilityClient, Series, slo_of
from commands.service_option import selected_services
from components.observability.queries import error_ratio, latency_quantile
from components.observability.slo import Slo
from settings import Service

_RATE_RANGE = "5m"
_TRACKS = ("stable", "canary")
_SPARKLINE = "▁▂▃▄▅▆▇█"
_MEBIBYTE = 2**20
_DECIMALS_BELOW = 100
"""Larger numbers have one decimal."""


def add_arguments(parser: ArgumentParser) -> None:
    """Options of `make metrics`."""
    parser.add_argument("--service", default="")
    parser.add_argument("--query", default="")
    parser.add_argument("--range", default="")


def show(client: ObservabilityClient, arguments: Namespace, console: Console) -> None:
    """Print rate, errors and duration by track, or the result of the query."""
    seconds = parse_duration("RANGE", arguments.range) if arguments.range else 0
    if arguments.query:
        _show_query(client, arguments.query, seconds, console)
    else:
        for service in selected_services(client.settings, arguments.service):
            _show_service(client, service, seconds, console)


def queries(slo: Slo) -> Mapping[str, str]:
    """PromQL query of each column of the default table, by track."""
    labels = slo.selector()
    total = f"sum by (track) (rate(http_requests_total{{{labels}}}[{_RATE_RANGE}]))"
    return {
        "pods": f"count by (track) (up{{{labels}}} == 1)",
        "requests/s": total,
        "errors": error_ratio(labels, _RATE_RANGE, "track"),
        **{
            f"p{q * 100:g}": latency_quantile(q, labels, _RATE_RANGE, "track")
            for q in (0.5, 0.95, 0.99)
        },
        "CPU": f"sum by (track) (rate(process_cpu_seconds_total{{{labels}}}[{_RATE_RANGE}]))",
        "memory": f"sum by (track) (process_resident_memory_bytes{{{labels}}})",
    }


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def _mebibytes(value: float) -> str:
    return f"{value / _MEBIBYTE:.0f} MiB"


_FORMATS: Mapping[str, Callable[[float], str]] = {
    "pods": "{:.0f}".format,
    "requests/s": "{:.2f}".format,
    "errors": "{:.2%}".format,
    "p50": _milliseconds,
    "p95": _milliseconds,
    "p99": _milliseconds,
    "CPU": "{:.3f} cores".format,
    "memory": _mebibytes,
}


def _show_service(
    client: ObservabilityClient, service: Service, seconds: int, console: Console
) -> None:
    slo = slo_of(client.settings, service)
    versions: dict[str, list[str]] = {}
    for one in client.query(f"count by (track, version) (beacon_build_info{{{slo.selector()}}})"):
        versions.setdefault(one.labels.get("track", ""), []).append(one.labels.get("version", ""))
    columns = queries(slo)
    found = {
        name: _by_track(client.query_range(query, seconds) if seconds else client.query(query))
        for name, query in columns.items()
    }
    table = Table(
        title=f"{slo.service} in {slo.namespace}, last {_RATE_RANGE}", title_justify="left"
    )
    for column in ("track", "version", *columns):
        table.add_column(column, no_wrap=True, justify="left" if column == "track" else "right")
    for track in _TRACKS:
        if track not in versions and track not in found["pods"]:
            continue
        cells = [_cell(found[name].get(track), _FORMATS[name], seconds) for name in columns]
        table.add_row(track, ", ".join(sorted(versions.get(track, ["-"]))), *cells)
    if not table.row_count:
        console.print(
            f"Prometheus has not scraped a pod of {slo.service} yet: try again in a minute"
        )
        return
    console.print(table)
    _show_error_budget(client, slo, console)


def _show_error_budget(client: ObservabilityClient, slo: Slo, console: Console) -> None:
    for sli in slo.slis:
        left = client.query(slo.budget_remaining(sli))
        remaining = f"{left[0].value:.1%}" if left else "no request yet, all"
        console.print(
            f"error budget of {sli} ({float(slo.objective(sli)):.3%} over {slo.window}): "
            f"{remaining} left",
            style="red" if left and left[0].value < 0 else None,
            highlight=False,
        )


def _show_query(client: ObservabilityClient, query: str, seconds: int, console: Console) -> None:
    found = client.query_range(query, seconds) if seconds else client.query(query)
    if not found:
        console.print("no series: the query is valid, but no series matches it")
        return
    names = sorted({name for series in found for name in series.labels})
    numbers = ("trend", "min", "max", "last") if seconds else ("value",)
    table = Table()
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, no_wrap=True, justify="right")
    for series in found:
        labels = [series.labels.get(name, "") for name in names]
        finite = [value for value in series.values if math.isfinite(value)] or [math.nan]
        cells = (
            [
                sparkline(series.values),
                *(number(n) for n in (min(finite), max(finite), series.value)),
            ]
            if seconds
            else [number(series.value)]
        )
        table.add_row(*labels, *cells)
    console.print(table)


def sparkline(values: tuple[float, ...]) -> str:
    """Draw a series as one line of text; a value that is not finite is a blank."""
    finite = [value for value in values if math.isfinite(value)]
    least, span = (min(finite), max(finite) - min(finite)) if finite else (0.0, 0.0)
    top = len(_SPARKLINE) - 1
    return "".join(
        _SPARKLINE[round((value - least) / span * top) if span else 0]
        if math.isfinite(value)
        else " "
        for value in values
    )


def number(value: float) -> str:
    """Format a number with up to four significant digits; integers in full."""
    if not math.isfinite(value) or value == int(value):
        return f"{value:.0f}" if math.isfinite(value) else str(value)
    return f"{value:.1f}" if abs(value) >= _DECIMALS_BELOW else f"{value:.4g}"


def _by_track(found: list[Series]) -> dict[str, Series]:
    return {series.labels.get("track", ""): series for series in found}


def _cell(series: Series | None, format_value: Callable[[float], str], seconds: int) -> str:
    if series is None or not math.isfinite(series.value):
        return "-"
    shown = format_value(series.value)
    return f"{sparkline(_downsample(series.values))} {shown}" if seconds else shown


def _downsample(values: tuple[float, ...], width: int = 12) -> tuple[float, ...]:
    """Keep at most ``width`` values, the newest among them."""
    step = max(1, math.ceil(len(values) / width))
    return values[::-1][::step][::-1]
