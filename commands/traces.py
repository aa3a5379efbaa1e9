"""``make traces``: the newest traces, or the spans of one trace as a tree, from Jaeger."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from commands.errors import CommandError
from commands.make_variables import parse_duration, parse_trace_id
from commands.observability_client import ObservabilityClient
from commands.service_option import selected_services

TRACES = 20
"""Maximum number of traces in the list."""
_SHOWN_TAGS = (
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "url.full",
    "error",
)

Span = Mapping[str, Any]


def add_arguments(parser: ArgumentParser) -> None:
    """Options of `make traces`."""
    parser.add_argument("--service", default="")
    parser.add_argument("--trace", default="")
    parser.add_argument("--since", default="")


def show(client: ObservabilityClient, arguments: Namespace, console: Console) -> None:
    """Print one trace, or without an ID the newest ones, slowest first."""
    if arguments.trace:
        trace = client.trace(parse_trace_id(arguments.trace))
        if trace is None:
            raise CommandError(
                f"Jaeger has no trace {arguments.trace}: it was not sampled, has expired, or has "
                "not arrived yet"
            )
        console.print(tree(trace))
        console.print(f"its log lines: make logs TRACE={arguments.trace}", style="dim")
        return
    since = arguments.since or "1h"
    services = [one.name for one in selected_services(client.settings, arguments.service)]
    traces = _newest(client, services, parse_duration("SINCE", since))
    if not traces:
        console.print(
            f"no trace of {' and '.join(services)} in the last {since}: send a request, or look "
            "further back with SINCE=24h"
        )
        return
    console.print(_table(traces))
    console.print("one as a tree: make traces TRACE=<id>", style="dim", markup=False)


def _newest(
    client: ObservabilityClient, services: Sequence[str], seconds: int
) -> list[dict[str, Any]]:
    """The newest traces of the services; one of several services once."""
    traces = {
        trace["traceID"]: trace
        for service in services
        for trace in client.traces(service, seconds, TRACES)
    }
    return sorted(traces.values(), key=_start, reverse=True)[:TRACES]


def _start(trace: Mapping[str, Any]) -> int:
    return min(span["startTime"] for span in trace["spans"])


def tree(trace: Mapping[str, Any]) -> Tree:
    """Tree of the spans: each below its parent, in the order of their start."""
    spans: list[Span] = sorted(trace["spans"], key=lambda span: span["startTime"])
    span_ids = {span["spanID"] for span in spans}
    first = spans[0]["startTime"] if spans else 0
    root = Tree(f"trace {trace['traceID']}", highlight=False)
    children: dict[str, list[Span]] = {}
    for span in spans:
        children.setdefault(_parent(span, span_ids), []).append(span)

    def grow(branch: Tree, parent: str) -> None:
        for span in children.get(parent, ()):
            grow(branch.add(_label(span, trace["processes"], first)), span["spanID"])

    grow(root, "")
    return root


def _parent(span: Span, span_ids: set[str]) -> str:
    """ID of the parent span; empty if the trace does not have it."""
    for reference in span.get("references") or ():
        if reference["spanID"] in span_ids:
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
    return label.append(f"  {shown}", "dim") if shown else label


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
