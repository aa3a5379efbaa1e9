"""The gate after a wave, with responses of Prometheus given by the tests."""

import pytest

from commands.fleet import slo_gate
from commands.fleet.slo_gate import SloGate
from commands.switch_gate import Result, Verdict
from components.observability.addresses import PROMETHEUS
from tests.unit.commands.fake_kubectl import Cluster, vector
from tests.unit.stacks import settings

SINCE = 1_700_000_000.0
QUERY = "/api/v1/query"
REQUESTS, BAD, BEFORE = "slo%3Arequests", "slo%3Abad_requests%3Arate", "time=1700000000"


class Clock:
    """Sleep takes no time."""

    def __init__(self) -> None:
        self.now = SINCE

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def observed(
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    *,
    requests: float = 10,
    bad: float = 0,
    before: float = 0,
) -> tuple[Verdict, float]:
    """The verdict on a service with an objective for the availability, and when it was reached."""
    clock = Clock()
    monkeypatch.setattr(slo_gate, "time", clock)
    for query, value in ((REQUESTS, requests), (BAD, bad), (BEFORE, before)):
        cluster.respond(PROMETHEUS, QUERY, vector(({}, value)), containing=query)
    stack = settings(slo={"latency": None}, observability={"mode": "bundled"})
    gate = SloGate(stack, cluster.client().environment, SINCE)
    return gate.observe(60), clock.now - SINCE


def test_a_service_that_meets_its_objective_until_the_end_passes(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict, seconds = observed(cluster, monkeypatch, bad=0.001)
    assert verdict == Verdict(Result.PASSED, "beacon: it meets the objective in 3000 requests")
    assert seconds == 60


@pytest.mark.parametrize(
    ("measured", "result", "reason"),
    [
        (
            {"bad": 2.5},
            Result.FAILED,
            "beacon: 25.0% of its requests fail (availability; the bound is 1.4%), and 0.0% of them"
            " did before the update",
        ),
        ({"bad": 2.5, "before": 0.2}, Result.PASSED, "beacon: it meets the objective"),
        (
            {"requests": 0.1},
            Result.UNDECIDED,
            "beacon: 30 requests are measured in 5 minutes, and the gate needs 100",
        ),
    ],
    ids=["misses it", "missed it before too", "too few requests"],
)
def test_the_gate_compares_with_the_objective_and_the_time_before(
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    measured: dict[str, float],
    result: Result,
    reason: str,
) -> None:
    verdict, _ = observed(cluster, monkeypatch, **measured)
    assert verdict.result is result
    assert verdict.reason.startswith(reason)


def test_a_service_that_misses_its_objective_fails_at_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert observed(cluster, monkeypatch, bad=2.5)[1] == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"observability": {"mode": "off"}}, "observability.mode is off"),
        ({"observability": {"mode": "bundled"}, "slo": None}, "slo is null"),
    ],
    ids=["no Prometheus", "no objective"],
)
def test_a_service_without_a_gate_is_named(changes: dict[str, object], reason: str) -> None:
    gate = SloGate(settings(**changes), {}, SINCE)
    assert [*gate.omitted()] == [f"no gate for beacon: {reason}"]
    assert gate.observe(60).result is Result.PASSED
