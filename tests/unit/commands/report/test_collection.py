"""Content of a report, with responses of the servers given by the tests."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from commands.errors import CommandError
from commands.pulumi import Stack
from commands.release_records import ReleaseRecord
from commands.report.collection import Collection
from commands.report.data import Report
from components.observability.addresses import LOKI, PROMETHEUS
from tests.unit.commands.fake_kubectl import Cluster, matrix

RANGE, LOGS = "/api/v1/query_range", "/loki/api/v1/query_range"
STABLE = {"track": "stable", "version": "1.0.0"}
CANARY = {"track": "canary", "version": "1.1.0"}


class FakeStack:
    """History of a stack."""

    def __init__(self, *releases: tuple[float, Mapping[str, Any]]) -> None:
        self._releases = releases

    def updates(self) -> Iterator[tuple[float, Mapping[str, Any]]]:
        for ended, release in self._releases:
            yield ended, {"services": {"beacon": {"release": release}}}


def collection(cluster: Cluster) -> Collection:
    settings = cluster.client().settings
    return Collection(Report("beacon", 0, 100), settings, settings.services["beacon"])


def test_each_panel_has_the_lines_of_both_tracks(cluster: Cluster) -> None:
    cluster.respond(PROMETHEUS, RANGE, matrix((STABLE, [1, 2]), (CANARY, [3, float("nan")])))
    collected = collection(cluster)
    with cluster.client() as client:
        collected.add_metrics(client)
    report = collected.report
    panels = {panel.title: panel for panel in report.panels}
    assert {"Requests", "Failed requests", "Latency", "Ready pods", "Gate: availability"} <= {
        *panels
    }
    names = [line.name for line in panels["Latency"].lines]
    assert names[:3] == ["stable 1.0.0 p50", "stable 1.0.0 p95", "stable 1.0.0 p99"]
    assert panels["Gate: availability"].bounds
    (versions,) = report.tables
    assert [row[0] for row in versions.rows] == ["1.0.0", "1.1.0"]
    assert report.missing == []


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(cluster: Cluster) -> None:
    cluster.respond(PROMETHEUS, RANGE, matrix())
    cluster.respond(LOKI, LOGS, "loki is starting", status=503)
    collected = collection(cluster)
    with cluster.client() as client:
        collected.add_metrics(client)
        collected.add_logs(client)
    collected.add_records([])
    text = "\n".join(collected.report.missing)
    for part in ("Requests: Prometheus has no values", "log lines: loki is down", "records: there"):
        assert part in text


def test_nothing_of_a_server_that_is_down_is_an_error(cluster: Cluster) -> None:
    cluster.kubectl_prints("port-forward", "", 'error: services "prometheus" not found', 1)
    collected = collection(cluster)
    with cluster.client() as client:
        collected.add_metrics(client)
    (missing,) = collected.report.missing
    assert missing.startswith("metrics: there is no prometheus")


def test_log_lines_are_those_of_the_time_of_the_report(cluster: Cluster) -> None:
    line = json.dumps({"level": "error", "message": "boom"})
    stream = {"stream": {"service_name": "beacon", "level": "error"}, "values": [["5", line]]}
    cluster.respond(LOKI, LOGS, {"data": {"resultType": "streams", "result": [stream]}})
    collected = collection(cluster)
    with cluster.client() as client:
        collected.add_logs(client)
    (request,) = cluster.requests()
    assert (request["start"], request["end"]) == ("0", str(100 * 10**9))
    ((row,),) = (table.rows for table in collected.report.tables)
    assert "boom" in row[0]


def test_steps_are_the_updates_that_changed_the_release(cluster: Cluster) -> None:
    stable = {"version": "1.0.0"}
    ten, fifty = ({"version": "1.1.0", "weight": weight} for weight in (10, 50))
    history = FakeStack(
        (150, {"stable": {"version": "1.1.0"}}),
        (90, {"stable": stable, "canary": fifty}),
        (60, {"stable": stable, "canary": ten}),
        (40, {"stable": stable, "canary": ten}),
        (20, {"stable": stable}),
    )
    collected = collection(cluster)
    collected.add_updates(cast(Stack, history))
    marks = [(mark.at, mark.text) for mark in sorted(collected.report.marks, key=lambda m: m.at)]
    assert marks == [
        (20, "stable 1.0.0"),
        (40, "stable 1.0.0, canary 1.1.0 at 10 %"),
        (90, "stable 1.0.0, canary 1.1.0 at 50 %"),
    ]


def test_a_history_that_cannot_be_read_is_named(cluster: Cluster) -> None:
    class Unreadable:
        def updates(self) -> Iterator[Any]:
            raise CommandError("no stack")

    collected = collection(cluster)
    collected.add_updates(cast(Stack, Unreadable()))
    assert collected.report.missing == ["steps: the history of the stack cannot be read: no stack"]


def test_the_verdict_of_a_release_is_marked_with_its_reason(cluster: Cluster) -> None:
    record = ReleaseRecord(
        version="1.1.0",
        strategy="canary",
        started="1970-01-01T00:00:10Z",
        ended="1970-01-01T00:01:00Z",
        result="rolledBack",
        decided_by="gate",
        reason="6.8% by availability",
    )
    collected = collection(cluster)
    collected.add_records([record])
    assert collected.report.tables[0].rows[0][:2] == ("1.1.0", "canary")
    (mark,) = collected.report.marks
    assert (mark.at, mark.kind) == (60, "verdict")
    assert "6.8% by availability" in mark.text


@pytest.mark.parametrize("end", [5, 3600])
def test_a_release_at_another_time_is_not_shown(cluster: Cluster, end: float) -> None:
    record = ReleaseRecord(
        "1.1.0", "canary", "1970-01-01T02:00:00Z", None, "1970-01-01T02:01:00Z", "promoted"
    )
    collected = collection(cluster)
    collected.report.end = end
    collected.add_records([record])
    assert collected.report.tables == []
