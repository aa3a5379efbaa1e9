"""Traces, from Jaeger: the last ones, or the spans of one as a tree."""

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from commands.errors import CommandError
from commands.monitoring import Monitoring, period
from commands.printable import printable

TRACES = 20
"""How many are shown."""
_TRACE = re.compile(r"[0-9a-f]{32}")
_SHOWN_TAGS = (
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "url.full",
    "error",
)

Span = Mapping[str, Any]


def add_arguments(parser: ArgumentParser) -> None:
    """What `make traces` passes on."""
    parser.add_argument("--trace", default="")
    parser.add_argument("--since", default="")


def show(monitoring: Monitoring, arguments: Namespace, console: Console) -> None:
    """Print one trace; without an id the last ones, the slowest first."""
    if arguments.trace:
        if not _TRACE.fullmatch(arguments.trace):
            raise CommandError(f"TRACE={arguments.trace}: use the 32 hexadecimal digits of a trace")
        trace = monitoring.trace(arguments.trace)
        if trace is None:
            raise CommandError(
                f"Jaeger has no trace {arguments.trace}: it was not sampled, is too old, or is "
                "still on its way"
            )
        console.print(tree(trace))
        console.print(f"its log lines: make logs TRACE={arguments.trace}", style="dim")
        return
    since, service = arguments.since or "1h", monitoring.settings.service.name
    traces = monitoring.traces(service, period(since, "SINCE"), TRACES)
    if not traces:
        console.print(
            f"no trace of {service} in the last {since}: send a request, or look further back "
            "with SINCE=24h"
        )
        return
    console.print(_table(traces))
    console.print("one as a tree: make traces TRACE=<id>", style="dim", markup=False)


def tree(trace: Mapping[str, Any]) -> Tree:
    """The spans, each below the one that caused it, in the order of their starts."""
    spans: list[Span] = sorted(trace["spans"], key=lambda span: span["startTime"])
    known = {span["spanID"] for span in spans}
    first = spans[0]["startTime"] if spans else 0
    top = Tree(f"trace {trace['traceID']}", highlight=False)
    below: dict[str, list[Span]] = {}
    for span in spans:
        below.setdefault(_parent(span, known), []).append(span)

    def grow(branch: Tree, parent: str) -> None:
        for span in below.get(parent, ()):
            grow(branch.add(_label(span, trace["processes"], first)), span["spanID"])

    grow(top, "")
    return top


def _parent(span: Span, known: set[str]) -> str:
    """The span that caused it; none where that one is not in the trace."""
    for reference in span.get("references") or ():
        if reference["spanID"] in known:
            return reference["spanID"]
    return ""


def _label(span: Span, processes: Mapping[str, Any], first: int) -> Text:
    tags = _tags(span)
    process = processes.get(span["processID"], {})
    failed = tags.get("error") in (True, "true")
    label = Text(process.get("serviceName", "?"), "cyan")
    label.append(f" {span['operationName']}", "bold red" if failed else "bold")
    label.append(f"  {_duration(span['duration'])}", "yellow")
    label.append(f"  +{_duration(span['startTime'] - first)}", "dim")
    shown = "  ".join(f"{name}={tags[name]}" for name in _SHOWN_TAGS if name in tags)
    return label.append(f"  {printable(shown)}", "dim") if shown else label


def _table(traces: list[dict[str, Any]]) -> Table:
    table = Table()
    for column in ("trace", "started", "request", "status", "spans"):
        table.add_column(column, no_wrap=True)
    table.add_column("duration", no_wrap=True, justify="right")
    for trace in sorted(traces, key=_length, reverse=True):
        root = min(trace["spans"], key=lambda span: span["startTime"])
        tags = _tags(root)
        started = datetime.fromtimestamp(root["startTime"] / 1e6, UTC).astimezone()
        status = str(tags.get("http.response.status_code", "-"))
        table.add_row(
            trace["traceID"],
            f"{started:%H:%M:%S}",
            root["operationName"],
            status,
            str(len(trace["spans"])),
            _duration(_length(trace)),
            style="red" if status.startswith("5") else None,
        )
    return table


def _length(trace: Mapping[str, Any]) -> int:
    starts = [span["startTime"] for span in trace["spans"]]
    ends = [span["startTime"] + span["duration"] for span in trace["spans"]]
    return max(ends) - min(starts)


def _tags(span: Span) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in span.get("tags") or ()}


def _duration(microseconds: int) -> str:
    milliseconds = microseconds / 1000
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.2f} ms"  # noqa: PLR2004
