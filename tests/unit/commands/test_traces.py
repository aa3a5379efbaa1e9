"""`make traces`, with responses of Jaeger given by the tests."""

from argparse import ArgumentParser, Namespace
from typing import Any

import pytest
from rich.console import Console

from commands import traces
from commands.errors import CommandError
from components.observability.addresses import JAEGER
from tests.unit.commands.fake_kubectl import Cluster, printed
from tests.unit.stacks import BEACON, settings

STATUS = "http.response.status_code"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def given(**options: str) -> Namespace:
    parser = ArgumentParser()
    traces.add_arguments(parser)
    return parser.parse_args([f"--{name}={value}" for name, value in options.items()])


def span(
    name: str, start: int, duration: int, parent: str = "", /, **tags: object
) -> dict[str, Any]:
    return {
        "traceID": TRACE,
        "spanID": name,
        "operationName": name,
        "references": [{"refType": "CHILD_OF", "spanID": parent}] if parent else [],
        "startTime": start,
        "duration": duration,
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
        "processID": "p1",
    }


def trace(*spans: dict[str, Any], trace_id: str = TRACE) -> dict[str, Any]:
    return {
        "traceID": trace_id,
        "spans": list(spans),
        "processes": {"p1": {"serviceName": "beacon"}},
    }


def show(cluster: Cluster, console: Console, **options: str) -> str:
    with cluster.client() as client:
        traces.show(client, given(**options), console)
    return printed(console)


def test_a_trace_is_a_tree_of_spans_with_durations(cluster: Cluster, console: Console) -> None:
    spans = (
        span("later", 6000, 1000, "root"),
        span("inner", 2000, 500, "child"),
        span("child", 1500, 4000, "root"),
        span("root", 1000, 1_500_000, **{"http.route": "/api/relay"}),
    )
    cluster.respond(JAEGER, f"/api/traces/{TRACE}", {"data": [trace(*spans)]})
    assert [line.rstrip() for line in show(cluster, console, trace=TRACE).splitlines()[:5]] == [
        f"trace {TRACE}",
        "└── beacon root  1.50 s  +0.00 ms  http.route=/api/relay",
        "    ├── beacon child  4.00 ms  +0.50 ms",
        "    │   └── beacon inner  0.50 ms  +1.00 ms",
        "    └── beacon later  1.00 ms  +5.00 ms",
    ]


def test_a_span_whose_cause_is_elsewhere_is_shown_at_the_top(
    cluster: Cluster, console: Console
) -> None:
    body = {"data": [trace(span("only", 0, 10, "unknown"))]}
    cluster.respond(JAEGER, f"/api/traces/{TRACE}", body)
    assert "└── beacon only" in show(cluster, console, trace=TRACE)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"data": None, "errors": [{"code": 404, "msg": "trace not found"}]}),
        (200, {"data": []}),
    ],
)
def test_a_missing_trace_is_an_error(
    cluster: Cluster, console: Console, status: int, body: dict[str, Any]
) -> None:
    cluster.respond(JAEGER, f"/api/traces/{TRACE}", body, status=status)
    with pytest.raises(CommandError, match=f"no trace {TRACE}"):
        show(cluster, console, trace=TRACE)


def test_an_error_of_jaeger_is_in_the_message(cluster: Cluster, console: Console) -> None:
    body = {"data": None, "errors": [{"code": 500, "msg": "disk full"}]}
    cluster.respond(JAEGER, f"/api/traces/{TRACE}", body, status=500)
    with pytest.raises(CommandError, match="jaeger rejects the query: disk full"):
        show(cluster, console, trace=TRACE)


@pytest.mark.parametrize("text", ["1", "../etc", TRACE.upper()])
def test_an_invalid_trace_id_is_refused(cluster: Cluster, console: Console, text: str) -> None:
    with pytest.raises(CommandError, match="32 hexadecimal digits"):
        show(cluster, console, trace=text)


def test_the_newest_traces_are_sorted_by_duration(cluster: Cluster, console: Console) -> None:
    found = [
        trace(span("GET /fast", 0, 1000, **{STATUS: 200}), trace_id="a" * 32),
        trace(
            span("GET /slow", 0, 9000, **{STATUS: 503}),
            span("inner", 1000, 9000, "GET /slow"),
            trace_id="b" * 32,
        ),
    ]
    cluster.respond(JAEGER, "/api/traces", {"data": found})
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in show(cluster, console).splitlines()
        if line.startswith("│")
    ]
    assert [(row[0][0], *row[2:]) for row in rows] == [
        ("b", "GET /slow", "503", "2", "10.00 ms"),
        ("a", "GET /fast", "200", "1", "1.00 ms"),
    ]
    (request,) = cluster.requests()
    assert request["service"] == "beacon"
    assert int(request["end"]) - int(request["start"]) == 3600 * 1_000_000


def test_a_trace_of_several_services_is_listed_once(cluster: Cluster, console: Console) -> None:
    body = {"data": [trace(span("GET /", 0, 1000))]}
    cluster.respond(JAEGER, "/api/traces", body)
    hello = {**BEACON, "routing": None}
    client = cluster.client()
    client.settings = settings(services={"hello": hello})
    with client:
        traces.show(client, given(), console)
    assert printed(console).count("GET /") == 1
    assert [request["service"] for request in cluster.requests()] == ["beacon", "hello"]


def test_without_traces_there_is_a_message(cluster: Cluster, console: Console) -> None:
    cluster.respond(JAEGER, "/api/traces", {"data": None})
    assert "no trace of beacon in the last 15m" in show(cluster, console, since="15m")
