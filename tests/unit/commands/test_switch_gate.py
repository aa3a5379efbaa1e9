"""The gate after a switch, with responses of Prometheus and pods given by the tests."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import promql_parser
import pytest

from commands import switch_gate
from commands.errors import FAILED, UNDECIDED, CommandError
from commands.release_records import Decision
from commands.stack_file import ReleaseFile
from commands.switch_gate import Result, SwitchGate, Verdict, observe_switch
from components.observability.addresses import PROMETHEUS
from settings import Service, Settings
from settings.yaml_writer import to_yaml
from tests.unit.commands.fake_kubectl import Cluster, vector
from tests.unit.stacks import BLUE_GREEN, DIGEST, changed, sections, service, settings

if TYPE_CHECKING:
    from commands.deployer import Deployer

QUERY = "/api/v1/query"
SWITCHED_AT = 1_700_000_000.0
SWITCHED = changed(
    BLUE_GREEN,
    {
        "stable": {"version": "1.1.0"},
        "idle": {"version": "1.0.0", "digest": DIGEST, "wasLive": True},
        "blueGreen": {"live": "green"},
    },
)
BEFORE, BAD, REQUESTS = "time=1700000000", "request_errors", "sum%28%28service%3Arequests"


def pod(*, ready: bool = True, waiting: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    condition = {"type": "Ready", "status": str(ready)}
    return {"status": {"conditions": [condition], "containerStatuses": [{"state": state}]}}


class Time:
    """Clock whose sleep takes no time; ``at`` has what happens at a second."""

    def __init__(self) -> None:
        self.now = SWITCHED_AT
        self.at: dict[int, Callable[[], None]] = {}

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for second in [one for one in self.at if self.now >= SWITCHED_AT + one]:
            self.at.pop(second)()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(switch_gate, "time", made)
    return made


def switched(**changes: Any) -> Service:
    return service(release=SWITCHED, **changes)


def measured(
    cluster: Cluster, *, before: float = 0.0, bad: float = 0.0, requests: float = 10.0
) -> None:
    """Ratio of bad requests before the switch, and rates of the version since then."""
    for query, value in ((REQUESTS, requests), (BAD, bad), (BEFORE, before)):
        cluster.respond(PROMETHEUS, QUERY, vector(({}, value)), containing=query)


@pytest.fixture
def observed(cluster: Cluster, clock: Time) -> Callable[..., Verdict]:
    """Observes the version for a minute; it has only an objective for the availability."""
    cluster.kubectl_prints("get", json.dumps({"items": [pod(), pod()]}))

    def observe(is_current: Callable[[], bool] = lambda: True) -> Verdict:
        client = cluster.client()
        one = switched(slo={"latency": None}, observability={"mode": "bundled"})
        gate = SwitchGate(client.settings, one, client.environment, SWITCHED_AT)
        return gate.observe(60, is_current=is_current)

    return observe


def test_a_version_that_meets_the_objective_until_the_end_has_passed(
    observed: Callable[..., Verdict], cluster: Cluster, clock: Time
) -> None:
    measured(cluster, bad=0.001)
    assert observed() == Verdict(Result.PASSED, "it meets the objective in 3000 requests")
    assert clock.now == SWITCHED_AT + 60
    for request in cluster.requests():
        promql_parser.parse(request["query"])


def test_a_version_that_misses_the_objective_fails_at_once_with_value_and_bounds(
    observed: Callable[..., Verdict], cluster: Cluster, clock: Time
) -> None:
    measured(cluster)
    clock.at[10] = lambda: measured(cluster, bad=2.5)
    verdict = observed()
    assert verdict.result is Result.FAILED
    assert verdict.reason == (
        "25.0% of its requests fail (availability; the bound is 1.4%), and 0.0% of those of 1.0.0 "
        "did before the switch"
    )
    assert clock.now < SWITCHED_AT + 15


def test_errors_that_the_previous_version_had_too_do_not_fail_the_version(
    observed: Callable[..., Verdict], cluster: Cluster
) -> None:
    measured(cluster, before=0.2, bad=2.5)
    assert observed().result is Result.PASSED


def test_a_single_failed_request_does_not_fail_the_version(
    observed: Callable[..., Verdict], cluster: Cluster
) -> None:
    measured(cluster, bad=1 / 300, requests=20 / 300)
    verdict = observed()
    assert verdict.result is Result.UNDECIDED
    assert verdict.reason == "20 requests are measured, and the gate needs 100"


def test_a_first_query_that_fails_is_compared_later_with_the_time_before_the_switch(
    observed: Callable[..., Verdict], cluster: Cluster, clock: Time
) -> None:
    cluster.respond(PROMETHEUS, QUERY, "starting", status=503)
    clock.at[20] = lambda: measured(cluster, bad=2.5)
    assert observed().result is Result.FAILED
    assert any(request.get("time") == f"{SWITCHED_AT:.3f}" for request in cluster.requests())


def test_without_prometheus_the_version_is_undecided(
    observed: Callable[..., Verdict], cluster: Cluster
) -> None:
    cluster.respond(PROMETHEUS, QUERY, "starting", status=503)
    verdict = observed()
    assert verdict.result is Result.UNDECIDED
    assert verdict.reason.startswith("the last query failed (")


@dataclass(frozen=True)
class FakeDeployer:
    """Deployer of a stack file that records what it does."""

    settings: Settings
    stack: Any
    done: list[str]
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def switch_requests(self, _: Service, command: str) -> bool:
        return False

    def select(self) -> None:
        """Nothing to repair."""

    def release(self, _: Service) -> SimpleNamespace:
        return SimpleNamespace(rollback=lambda: "is written back")

    def update_release(self, service: Service, decision: Decision) -> None:
        self.done.append(f"deployed, decided by the {decision.by}: {decision.reason}")

    def restore_capacity(self, service: Service) -> None:
        self.done.append("restored")


@pytest.fixture
def fake_deployer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDeployer:
    """Deployer after the switch."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    gated = changed(SWITCHED, {"blueGreen": {"gateSeconds": 60}})
    stack = sections(release=gated, observability={"mode": "bundled"})
    config = {f"slipway:{key}": value for key, value in stack.items()}
    (tmp_path / "Pulumi.dev.yaml").write_text(to_yaml({"config": config}))
    fake = SimpleNamespace(name="dev")
    return FakeDeployer(settings(), fake, [])


@pytest.mark.parametrize(
    ("result", "done", "exit_code"),
    [
        (Result.PASSED, ["restored"], 0),
        (Result.FAILED, ["deployed, decided by the gate: it is bad"], FAILED),
        (Result.UNDECIDED, ["restored"], UNDECIDED),
    ],
)
def test_only_a_version_that_fails_is_switched_back(
    result: Result,
    done: list[str],
    exit_code: int,
    fake_deployer: FakeDeployer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SwitchGate, "observe", lambda *_, **__: Verdict(result, "it is bad"))
    monkeypatch.setattr(SwitchGate, "log_lines", lambda _: ["[pod/beacon-green] panic: oh"])
    code, message = 0, ""
    try:
        observe_switch(cast("Deployer", fake_deployer), "beacon", SWITCHED_AT)
    except CommandError as error:
        code, message = error.exit_code, str(error)
    assert (fake_deployer.done, code) == (done, exit_code)
    if result is Result.FAILED:
        assert "beacon 1.1.0 was switched back: it is bad. The last log lines" in message
        assert "\n  [pod/beacon-green] panic: oh" in message


def test_a_release_that_another_command_has_changed_is_not_switched_back(
    fake_deployer: FakeDeployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def observe(*_: object, is_current: Callable[[], bool], **__: object) -> Verdict:
        assert is_current()
        digests = {"1.0.0": DIGEST, "1.1.0": DIGEST}
        ReleaseFile("dev", "beacon").switch("blue", digests, is_promotion=False).save()
        assert not is_current()
        return Verdict(Result.FAILED, "it is bad")

    monkeypatch.setattr(SwitchGate, "observe", observe)
    with pytest.raises(CommandError, match="another command has changed the release of beacon"):
        observe_switch(cast("Deployer", fake_deployer), "beacon", SWITCHED_AT)
    assert fake_deployer.done == []


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        (
            [pod(ready=False, waiting="CrashLoopBackOff"), pod()],
            "1 of its 2 pods are in CrashLoopBackOff, 1 are ready",
        ),
        ([pod(ready=False), pod(ready=False)], "none of its 2 pods is ready"),
        ([pod(ready=False, waiting="CrashLoopBackOff"), pod(), pod()], ""),
        ([pod(ready=False), pod(ready=False), pod()], ""),
    ],
)
def test_pods_that_cannot_serve_fail_the_version(
    pods: list[dict[str, Any]], reason: str, observed: Callable[..., Verdict], cluster: Cluster
) -> None:
    measured(cluster)
    cluster.kubectl_prints("get", json.dumps({"items": pods}))
    verdict = observed()
    assert (verdict.result is Result.FAILED) == bool(reason)
    assert not reason or verdict.reason == reason


def test_the_observation_ends_when_another_command_has_changed_the_release(
    observed: Callable[..., Verdict], cluster: Cluster
) -> None:
    measured(cluster)
    verdict = observed(is_current=lambda: False)
    assert verdict.result is Result.UNDECIDED
