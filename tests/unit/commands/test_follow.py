"""Following releases: what is printed, and what is kept of a release that fails."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import cast

import pytest
from rich.console import Console

from commands import follow
from commands.flagger_canary import Canaries, CanaryState, Gate
from commands.follow import Follower, explanation, format_duration
from commands.follow_notifications import NotifyingView
from commands.follow_view import LineView, blocks, view_of
from commands.followed_release import FollowedRelease, Outcome
from commands.notifications import Notifier, VersionChange
from components.observability.addresses import PROMETHEUS
from tests.unit.commands.canary_states import ANALYSIS, state
from tests.unit.commands.fake_kubectl import Cluster, printed, vector

OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
BEFORE = state("Succeeded", version="1.0.0", served="1.0.0", since=OLD)
STEPS = [
    state("Succeeded", since=OLD),
    state("Progressing", 0, ready=0),
    state("Progressing", 10),
    state("Progressing", 10),
    state("Progressing", 50, failed=1),
    state("Promoting", 50, served="1.1.0"),
    state("Succeeded", since=NEW, served="1.1.0"),
]
FAILED = [*STEPS[:3], state("Progressing", 10, failed=1), state("Failed", since=NEW)]
GATED = {
    **ANALYSIS,
    "metrics": [
        {"name": "errors", "thresholdRange": {"max": 1}, "templateRef": {"name": "errors"}}
    ],
}


def followed(service: str = "beacon", first: CanaryState = STEPS[0]) -> FollowedRelease:
    started = datetime.now(UTC) - timedelta(seconds=5)
    return FollowedRelease(service, "1.1.0", started, BEFORE, first)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Iterator[CanaryState]]:
    """The states of each service, one for each look at the cluster."""
    states: dict[str, Iterator[CanaryState]] = {}

    def read(_: Canaries, services: Sequence[str]) -> Mapping[str, CanaryState]:
        return {one: next(states[one]) for one in services}

    monkeypatch.setattr(Canaries, "read", read)
    monkeypatch.setattr(follow, "POLL_SECONDS", 0)
    return states


def run(cluster: Cluster, console: Console, *releases: FollowedRelease, mode: str = "off") -> str:
    client = cluster.client(mode=mode)
    Follower(client.settings, client.environment, [LineView(console)]).follow(releases)
    return printed(console)


def test_without_a_terminal_each_change_is_one_line(cluster, console, script) -> None:
    script["beacon"] = iter(STEPS)
    one = followed()
    lines = run(cluster, console, one).splitlines()
    assert lines == [
        "beacon 1.1.0: waiting for Flagger, pods stable 2/2, canary 2/2",
        "beacon 1.1.0: 0 %, step 0 of 2, pods stable 2/2, canary 0/2",
        "beacon 1.1.0: 10 %, step 1 of 2, pods stable 2/2, canary 2/2",
        "beacon 1.1.0: 50 %, step 2 of 2, 1 of 3 checks failed, pods stable 2/2, canary 2/2",
        "beacon 1.1.0: promotion: the new version replaces the pods of the previous one, "
        "pods stable 2/2, canary 2/2",
        "beacon 1.1.0: promoted, pods stable 2/2, canary 2/2",
    ]
    assert one.outcome is Outcome.PROMOTED


class Notifications:
    """A notifier that keeps the events."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def stepped(self, change: VersionChange, weight: int) -> None:
        self.events.append(f"{change.version} of {change.previous} at {weight}")


def test_each_step_is_notified(cluster, script) -> None:
    script["beacon"] = iter(STEPS)
    notifications, client = Notifications(), cluster.client(mode="off")
    view = NotifyingView(cast("Notifier", notifications))
    Follower(client.settings, client.environment, [view]).follow([followed()])
    assert notifications.events == ["1.1.0 of 1.0.0 at 10", "1.1.0 of 1.0.0 at 50"]


def test_several_releases_are_followed_until_each_has_its_own_outcome(
    cluster, console, script
) -> None:
    script["beacon"], script["other"] = iter(FAILED), iter(STEPS)
    one, other = followed(), followed("other")
    output = run(cluster, console, one, other)
    assert (one.outcome, other.outcome) == (Outcome.ROLLED_BACK, Outcome.PROMOTED)
    assert "beacon 1.1.0: rolled back" in output
    assert "other 1.1.0: promoted" in output


def test_an_api_server_that_is_down_for_a_while_is_waited_for(
    cluster, console, monkeypatch
) -> None:
    states = iter([None, None, *STEPS])

    def read(_: Canaries, __: object) -> Mapping[str, CanaryState]:
        if (one := next(states)) is None:
            raise follow.CommandError("connection refused")
        return {"beacon": one}

    monkeypatch.setattr(Canaries, "read", read)
    monkeypatch.setattr(follow, "POLL_SECONDS", 0)
    one = followed()
    run(cluster, console, one)
    assert one.outcome is Outcome.PROMOTED


def test_the_gate_that_fails_and_the_logs_of_the_new_pods_explain_a_rollback(
    cluster, console, monkeypatch
) -> None:
    states = iter([state("Progressing", 10, failed=1, analysis=GATED)] * 200)
    last = state("Failed", since=NEW, analysis=GATED)
    template = {"metadata": {"name": "errors"}, "spec": {"query": "errors"}}
    pod = {"metadata": {"name": "new"}, "status": {"containerStatuses": [{"name": "beacon"}]}}
    events = [{"lastTimestamp": "2999-01-01T00:00:00Z", "message": "Halt advancement errors"}]
    for kind, items in (("metrictemplates", [template]), ("pods", [pod]), ("events", events)):
        cluster.kubectl_prints(f"get {kind}", json.dumps({"items": items}))
    cluster.kubectl_prints("logs", "cannot open the database\n")
    cluster.respond(PROMETHEUS, "/api/v1/query", vector(({}, 6.8)))
    one = followed(first=state("Progressing", 10, analysis=GATED))

    def read(_: Canaries, __: object) -> Mapping[str, CanaryState]:
        return {"beacon": last if one.violated and one.logs else next(states)}

    monkeypatch.setattr(Canaries, "read", read)
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.05)
    output = run(cluster, console, one, mode="bundled")
    assert "errors 6.8 > 1" in output
    client = cluster.client()
    text = "\n".join(explanation(one, Canaries(client.settings, client.environment)))
    assert "beacon 1.1.0 was rolled back after" in text
    assert "at 10 %: errors 6.8 > 1" in text
    assert "events of Flagger:\n  Halt advancement errors" in text
    assert "new pods:\n  new: not ready\n    cannot open the database" in text


def test_without_prometheus_a_release_is_followed_without_values(cluster, console, script) -> None:
    template = {"metadata": {"name": "errors"}, "spec": {"query": "errors"}}
    cluster.kubectl_prints("get metrictemplates", json.dumps({"items": [template]}))
    cluster.kubectl_prints("port-forward", "", "error: no pods", 1)
    script["beacon"] = iter(STEPS)
    one = followed(first=state("Progressing", 10, analysis=GATED))
    run(cluster, console, one, mode="bundled")
    assert one.outcome is Outcome.PROMOTED


def test_a_terminal_of_80_columns_shows_each_gate_beside_its_bound_and_the_time_left() -> None:
    one = followed(first=state("Progressing", 10, analysis=GATED))
    one.advance(one.state, 30)
    one.gates = [
        *(Gate("availability", "", 98.56), Gate("availability-stable", "", None, 0.6)),
        *(Gate("latency", "", 85.6), Gate("latency-stable", "", None, 6)),
        *(Gate("requests", "", 10), Gate("queue", "", None, 20_000)),
    ]
    one.values = dict(
        zip((gate.name for gate in one.gates), (93.2, 0.4, 99.98, None, 1200.43, 12), strict=True)
    )
    console = Console(file=StringIO(), width=80, force_terminal=True, color_system=None)
    console.print(blocks([one]))
    lines = [line.rstrip() for line in printed(console).splitlines()]
    left = format_duration(one.seconds_left)
    assert lines == [
        f"beacon 1.1.0: 10 %, step 1 of 2, pods stable 2/2, canary 2/2, {left} left",
        "  availability 93.2 < 98.56   availability-stable 0.4 ≤ 0.6",
        "  latency 99.98 ≥ 85.6        latency-stable no data ≤ 6",
        "  requests 1200 ≥ 10          queue 12 ≤ 20000",
    ]
    assert not isinstance(view_of(console), LineView)


def test_a_log_line_of_a_pod_cannot_control_the_terminal(cluster) -> None:
    one = followed()
    one.outcome, one.logs = Outcome.ROLLED_BACK, ["\x1b[31mred"]
    client = cluster.client()
    cluster.kubectl_prints("get events", '{"items": []}')
    lines = explanation(one, Canaries(client.settings, client.environment))
    assert "  \\x1b[31mred" in lines
