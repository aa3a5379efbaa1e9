"""Report of a drill: what the load has measured, beside the stack's own metrics."""

import math
from collections.abc import Sequence
from pathlib import Path

from commands.drill.drill import Drill
from commands.drill.outcome import COLUMNS, Outcome, cells
from commands.load import Result
from commands.report.collection import QUANTILES, SAMPLES, Collection
from commands.report.data import Line, Mark, Panel, Report, Style, Table, clock
from commands.report.page import render
from local import files

_BEFORE_SECONDS = 15
_MIN_BIN_SECONDS = 1.0
_MILLISECONDS = 1000


def write(drill: Drill, outcomes: Sequence[Outcome], file: Path) -> None:
    """Write the report of a drill with at least one outcome. The stack must still exist."""
    start = min(one.began for one in outcomes) - _BEFORE_SECONDS
    end = max(one.ended for one in outcomes)
    settings, name, strategy = drill.stack.settings, drill.service.name, drill.stack.strategy
    report = Report(f"Drill of {name}, {strategy}, {drill.load.rate} requests/s", start, end)
    report.tables.append(Table("Faults", COLUMNS, [cells(one) for one in outcomes]))
    results = drill.load.between(start, end)
    report.panels += load_panels(results, start, end)
    report.tables += failures(results)
    report.marks += [mark for one in outcomes for mark in _marks(one)]
    collection = Collection(report, settings, settings.services[name])
    if drill.client:
        collection.add_metrics(drill.client)
        collection.add_logs(drill.client)
    else:
        report.missing.append("metrics and log lines: the stack has no observability servers")
    files.write(file, render(report))


def _marks(outcome: Outcome) -> Sequence[Mark]:
    marks = [Mark(outcome.began, f"{outcome.fault}: {outcome.version} is deployed", "fault")]
    if outcome.detected_after is not None:
        detected = outcome.began + outcome.detected_after
        text = f"{outcome.fault}: detected by {outcome.detected_by}, {outcome.detail}"
        marks.append(Mark(detected, text))
        back, text = outcome.ended, f"{outcome.fault}: {outcome.verdict}"
        if outcome.back_after is not None:
            back = detected + outcome.back_after
            text += f", last response {outcome.back_after:.1f} s after the detection"
        marks.append(Mark(back, text, "verdict"))
    return marks


def failures(results: Sequence[Result]) -> Sequence[Table]:
    """Table of the failed requests, by their reason and by the pod or version that responded."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for one in results:
        if one.error:
            groups.setdefault((one.error, one.version or "-"), []).append(one)
    rows = [
        (
            error,
            source,
            str(len(ones)),
            *(clock(at(one.received for one in ones)) for at in (min, max)),
        )
        for (error, source), ones in groups.items()
    ]
    columns = ("failure", "response of", "requests", "first", "last")
    return [Table("Failed requests of the load", columns, rows)] if rows else []


def load_panels(responses: Sequence[Result], start: float, end: float) -> Sequence[Panel]:
    """Rate, failures and latency of the load, in equal intervals of time."""
    width = max(_MIN_BIN_SECONDS, (end - start) / SAMPLES)
    count = math.ceil((end - start) / width) or 1
    bins: list[list[Result]] = [[] for _ in range(count)]
    for one in responses:
        bins[min(int((one.received - start) / width), count - 1)].append(one)
    times = [start + (number + 0.5) * width for number in range(count)]

    def line(name: str, values: Sequence[float], style: Style = "solid") -> Line:
        return Line(name, times, values, name == "failed", style)

    requests = [len(one) / width for one in bins]
    failed = [sum(bool(response.error) for response in one) / width for one in bins]
    durations = [sorted(response.latency * _MILLISECONDS for response in one) for one in bins]
    latencies = [
        line(f"clients p{number * 100:g}", [_quantile(one, number) for one in durations], style)
        for number, style in QUANTILES
    ]
    lines = [line("clients", requests), line("failed", failed)]
    return (
        Panel("Requests of the load", "requests/s", lines, description="Measured by the clients."),
        Panel("Latency of the load", "ms", latencies, description="Measured by the clients."),
    )


def _quantile(ordered: Sequence[float], quantile: float) -> float:
    return ordered[min(int(len(ordered) * quantile), len(ordered) - 1)] if ordered else math.nan
