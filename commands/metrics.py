"""``make metrics``: rate, errors and duration by track, or any PromQL query, as a table."""

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from commands.make_variables import parse_duration
from commands.observability_client import ObservabilityClient, Series, monitored
from commands.service_option import selected_services
from components.observability.monitored_service import MonitoredService
from components.observability.queries import (
    PODS,
    WINDOW,
    error_ratio,
    latency_quantile,
    request_rate,
)
from components.observability.slo import Sli, Slo
from settings import format_seconds

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
        services = selected_services(client.settings, arguments.service)
        _show_services(client, monitored(client.settings, services), seconds, console)


def queries(namespace: str, services: Sequence[MonitoredService]) -> Mapping[str, str]:
    """PromQL query of each column of the default table, by service and track."""
    names, by = "|".join(service.name for service in services), "service, track"
    matchers = f'namespace="{namespace}",service=~"{names}"'
    return {
        "pods": f"sum by ({by}) ({PODS}{{{matchers}}})",
        "requests/s": request_rate(matchers, by),
        "errors": error_ratio(matchers, by),
        **{f"p{q * 100:g}": latency_quantile(q, matchers, by) for q in (0.5, 0.95, 0.99)},
        "CPU": _by_pods(
            services, lambda pods: f"rate(container_cpu_usage_seconds_total{{{pods}}}[{WINDOW}])"
        ),
        "memory": _by_pods(services, lambda pods: f"container_memory_working_set_bytes{{{pods}}}"),
    }


def _by_pods(services: Sequence[MonitoredService], series: Callable[[str], str]) -> str:
    """PromQL: sum by track of a series of pods, whose names begin with that of their Deployment.

    ``series`` is the expression for the label matchers of pods.
    """
    sums: list[str] = []
    for service in services:
        for track in service.roles.deployments:
            # The series of whole pods: not every kubelet has series of containers.
            name = f'pod=~"{service.pod_pattern(track)}",container=""'
            pods = series(f'namespace="{service.namespace}",{name}')
            expr = f'label_replace(sum ({pods}), "service", "{service.name}", "", "")'
            sums.append(f'label_replace({expr}, "track", "{track}", "", "")')
    return " or ".join(sums)


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


def _show_services(
    client: ObservabilityClient,
    services: Sequence[MonitoredService],
    seconds: int,
    console: Console,
) -> None:
    namespace, names = client.settings.namespace.name, [service.name for service in services]
    matchers = f'namespace="{namespace}",service=~"{"|".join(names)}"'
    versions: dict[_Track, list[str]] = {}
    for one in client.query(f"sum by (service, track, version) ({PODS}{{{matchers}}}) > 0"):
        versions.setdefault(_track(one), []).append(one.labels.get("version", ""))
    columns = queries(namespace, services)
    found = {
        name: _by_track(client.query_range(query, seconds) if seconds else client.query(query))
        for name, query in columns.items()
    }
    table = Table(title=f"{namespace}, last {WINDOW}", title_justify="left")
    for column in ("service", "track", "version", *columns):
        is_text = column in ("service", "track")
        table.add_column(column, no_wrap=True, justify="left" if is_text else "right")
    for service, track in sorted({*versions, *found["requests/s"]}, key=_order(names)):
        key = service, track
        cells = [_cell(found[name].get(key), _FORMATS[name], seconds) for name in columns]
        version = ", ".join(sorted(versions.get(key, ["-"])))
        table.add_row(service, track or "all", version, *cells)
    if not table.row_count:
        console.print(
            f"Prometheus has no series of {' and '.join(names)} yet: try again in a minute"
        )
        return
    console.print(table)
    for service in services:
        _show_objectives(client, service, console)


def _show_objectives(
    client: ObservabilityClient, service: MonitoredService, console: Console
) -> None:
    name = service.name
    if service.requests is None:
        console.print(f"{name}: nothing measures its requests", highlight=False)
    if service.slo is None:
        console.print(f"{name}: no objective", highlight=False)
        return
    for sli in service.slo.slis:
        left = client.query(service.slo.budget_remaining(sli))
        console.print(
            f"{name}: error budget of {_objective(service.slo, sli)}: "
            f"{f'{left[0].value:.1%} left' if left else 'not measured'}",
            style="red" if left and left[0].value < 0 else None,
            highlight=False,
        )


def _objective(slo: Slo, sli: Sli) -> str:
    threshold = slo.latency_threshold
    within = f" within {format_seconds(threshold)}" if sli == "latency" and threshold else ""
    return f"{sli} ({float(slo.objective(sli)):.3%}{within} over {slo.window})"


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


_Track = tuple[str, str]
"""Service and track. The track is empty if the source of the requests does not know it."""


def _track(series: Series) -> _Track:
    return series.labels.get("service", ""), series.labels.get("track", "")


def _by_track(found: list[Series]) -> dict[_Track, Series]:
    return {_track(series): series for series in found}


def _order(names: Sequence[str]) -> Callable[[_Track], tuple[int, bool, str]]:
    """Order of the rows: by service as in the stack file, then stable first."""
    return lambda key: (names.index(key[0]), key[1] != "stable", key[1])


def _cell(series: Series | None, format_value: Callable[[float], str], seconds: int) -> str:
    if series is None or not math.isfinite(series.value):
        return "-"
    shown = format_value(series.value)
    return f"{sparkline(_downsample(series.values))} {shown}" if seconds else shown


def _downsample(values: tuple[float, ...], width: int = 12) -> tuple[float, ...]:
    """Keep at most ``width`` values, the newest among them."""
    step = max(1, math.ceil(len(values) / width))
    return values[::-1][::step][::-1]
