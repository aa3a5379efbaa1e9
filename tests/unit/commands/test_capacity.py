"""Pods of tracks before and after requests move between them, with a simulated cluster."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from commands import capacity
from commands.capacity import Capacity, Shares, deployed_shares, shares_of
from commands.errors import FAILED, CommandError
from settings import Service
from tests.unit.stacks import BLUE_GREEN, CANARY, changed, settings

PRIMARY = "progressive-primary"
MINIMUM, MAXIMUM, TARGET = 2, 8, 50
START_SECONDS = 3
"""Time until a new pod is ready."""


class Cluster:
    """Deployments and HPAs of the service beacon. New pods get ready as time passes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **ready: int) -> None:
        self.now = 0.0
        self.can_start_pods = True
        self.has_autoscalers = True
        self.utilization: dict[str, int | None] = dict.fromkeys(ready, TARGET)
        self.ready = dict(ready)
        self.replicas = dict(ready)
        self.minimum = dict.fromkeys(ready, MINIMUM)
        self.annotations: dict[str, dict[str, str]] = {track: {} for track in ready}
        self.scaled_at: dict[str, float] = {}
        self.measured_at: float | None = None
        for name in ("get", "apply", "scale"):
            monkeypatch.setattr(capacity.kubectl, name, getattr(self, name))
        for clock in ("time", "monotonic"):
            monkeypatch.setattr(capacity.time, clock, lambda: self.now)
        monkeypatch.setattr(capacity.time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for track, at in self.scaled_at.items():
            if self.can_start_pods and self.now >= at + START_SECONDS:
                self.ready[track] = self.replicas[track]

    def get(self, *arguments: str, **_: Any) -> dict[str, Any]:
        if arguments[0] == "podmetrics.metrics.k8s.io":
            if self.measured_at is None:
                raise CommandError("cannot read the cluster: (Forbidden)", FAILED)
            time = datetime.fromtimestamp(self.measured_at, UTC).isoformat()
            return {"items": [{"timestamp": time, "window": "14.5s"}]}
        items: list[dict[str, Any]] = []
        selected = re.split("[(,)]", arguments[arguments.index("--selector") + 1])
        for track, ready in self.ready.items():
            # The label that Flagger gives the objects of its primary.
            if ("beacon-primary" if track == PRIMARY else "beacon") not in selected:
                continue
            metadata = {"name": f"beacon-{track}", "annotations": self.annotations[track]}
            utilization = self.utilization[track]
            cpu = {"averageUtilization": utilization}
            items += [
                {
                    "kind": "Deployment",
                    "metadata": metadata,
                    "spec": {"replicas": self.replicas[track]},
                    "status": {"readyReplicas": ready},
                },
                {
                    "kind": "HorizontalPodAutoscaler",
                    "metadata": metadata,
                    "spec": {
                        "minReplicas": self.minimum[track],
                        "maxReplicas": MAXIMUM,
                        "metrics": [
                            {
                                "type": "Resource",
                                "resource": {
                                    "name": "cpu",
                                    "target": {"averageUtilization": TARGET},
                                },
                            }
                        ],
                    },
                    "status": {
                        "currentReplicas": ready,
                        "currentMetrics": []
                        if utilization is None
                        else [{"type": "Resource", "resource": {"name": "cpu", "current": cpu}}],
                    },
                },
            ]
        if not self.has_autoscalers:
            items = [item for item in items if item["kind"] == "Deployment"]
        return {"items": items}

    def apply(self, manifest: dict[str, Any], **_: Any) -> None:
        track = manifest["metadata"]["name"].removeprefix("beacon-")
        self.annotations[track] = manifest["metadata"].get("annotations", {})
        self.minimum[track] = manifest["spec"]["minReplicas"]

    def scale(self, deployment: str, namespace: str, replicas: int, **_: Any) -> None:
        track = deployment.removeprefix("beacon-")
        self.replicas[track] = replicas
        self.scaled_at[track] = self.now


def service(weight: int | None) -> Service:
    release = changed(CANARY, {"canary": {"weight": weight}})
    if weight is None:
        release = {key: value for key, value in release.items() if key != "canary"}
    stack = settings(release=release, autoscaling={"minReplicas": MINIMUM, "maxReplicas": MAXIMUM})
    return stack.services["beacon"]


def shares(weight: int) -> Shares:
    return {"stable": 100 - weight, "canary": weight}


def reserve(before: int, after: int | None, **options: Any) -> Capacity:
    """Reserve for a change of the canary's weight; ``None`` ends the canary."""
    reserved = Capacity(settings(), {})
    arguments = {"is_required": True, **options}
    reserved.reserve(service(after), shares(before), 10, **arguments)
    return reserved


@pytest.mark.parametrize(
    ("before", "after", "track", "pods"),
    [
        (0, 100, "canary", 6),
        (0, 50, "canary", 3),
        (100, None, "stable", 6),
        (100, 40, "stable", 4),
        (10, 100, "canary", 7),
        (10, None, "stable", 7),
    ],
)
def test_a_track_has_ready_pods_for_its_share_before_the_requests_move(
    before: int, after: int | None, track: str, pods: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = {"stable": 2 if before == 100 else 6, "canary": 6 if before == 100 else 1}
    cluster = Cluster(monkeypatch, **ready)
    reserve(before, after)
    assert cluster.ready[track] == pods
    assert cluster.minimum[track] == pods


def test_a_track_never_has_more_than_the_maximum_of_its_autoscaler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, stable=5, canary=5)
    reserve(50, None)
    assert cluster.minimum["stable"] == MAXIMUM


def test_an_idle_track_needs_no_more_than_the_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, stable=MINIMUM, canary=MINIMUM)
    cluster.utilization = {"stable": 2, "canary": 1}
    reserve(50, None).restore([service(None)])
    assert cluster.annotations == {"stable": {}, "canary": {}}
    assert cluster.now == 0


@pytest.mark.parametrize(("stable", "pods"), [(2, MINIMUM), (TARGET, 3)])
def test_a_track_without_metrics_needs_pods_as_the_other_track_does(
    stable: int, pods: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(monkeypatch, stable=MINIMUM, canary=MINIMUM)
    cluster.utilization = {"stable": stable, "canary": None}
    reserve(10, None)
    assert cluster.minimum["stable"] == pods


def test_the_requests_do_not_move_while_pods_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, stable=6, canary=2)
    cluster.can_start_pods = False
    message = r"beacon-canary has 2 of 6 ready pods after 10 s, so no requests are moved"
    with pytest.raises(CommandError, match=message) as error:
        reserve(0, 100)
    assert error.value.exit_code == FAILED
    assert cluster.minimum["canary"] == MINIMUM


def test_a_rollback_does_not_wait_for_pods_that_cannot_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(monkeypatch, stable=2, canary=6)
    cluster.can_start_pods = False
    reserve(100, None, is_required=False)
    assert "beacon-stable has 2 of 6 ready pods after 10 s: not waiting" in capsys.readouterr().out
    assert cluster.minimum["stable"] == 6


def test_the_minimum_is_restored_when_the_metrics_require_the_pods(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, stable=6, canary=2)
    cluster.utilization["canary"] = 1
    reserved = reserve(0, 100)

    def sleep(seconds: float) -> None:
        assert cluster.minimum["canary"] == 6
        cluster.now += seconds
        if cluster.now > 40:
            cluster.utilization["canary"] = TARGET

    monkeypatch.setattr(capacity.time, "sleep", sleep)
    reserved.restore([service(100)])
    assert cluster.now < capacity.METRICS_SECONDS
    assert cluster.minimum["canary"] == MINIMUM
    assert cluster.annotations["canary"] == {}


@pytest.mark.parametrize(
    ("measured_at", "low", "high"),
    [
        (None, capacity.METRICS_SECONDS, capacity.METRICS_SECONDS + 10),
        (17, capacity.METRICS_SECONDS, capacity.METRICS_SECONDS + 10),
        (18, capacity.HPA_SYNC_SECONDS, capacity.HPA_SYNC_SECONDS + 10),
    ],
)
def test_the_minimum_is_restored_after_a_sample_of_all_requests_even_if_the_load_is_gone(
    measured_at: float | None, low: float, high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(monkeypatch, stable=6, canary=2)
    cluster.utilization["canary"] = None
    reserved = reserve(0, 100)
    assert cluster.now == START_SECONDS
    cluster.measured_at = measured_at
    reserved.restore([service(100)])
    assert cluster.minimum["canary"] == MINIMUM
    assert low <= cluster.now - START_SECONDS <= high


def test_a_minimum_that_the_update_has_reset_is_raised_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, stable=6, canary=2)
    cluster.utilization["canary"] = 1
    reserved = reserve(0, 100)
    cluster.minimum["canary"] = 3  # by the update, with the annotation
    cluster.annotations["canary"] = {}
    seen: list[int] = []

    def sleep(seconds: float) -> None:
        cluster.now += seconds
        seen.append(cluster.minimum["canary"])

    monkeypatch.setattr(capacity.time, "sleep", sleep)
    reserved.restore([service(100)])
    assert set(seen) == {6}
    assert cluster.minimum["canary"] == 3


def test_the_next_command_restores_what_an_interrupted_one_has_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, stable=6, canary=2)
    reserve(0, 100)
    Capacity(settings(), {}).restore([service(100)])
    assert cluster.minimum["canary"] == MINIMUM


@pytest.mark.parametrize(("weight", "pods"), [(10, 0), (30, 0), (50, 3)])
def test_a_new_track_starts_without_requests_if_its_minimum_is_too_small(
    weight: int, pods: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cluster(monkeypatch, stable=6)
    assert Capacity(settings(), {}).missing_at_start(service(weight), shares(0)) == pods


@pytest.mark.parametrize(
    ("replicas", "adopted"), [(MINIMUM, 0), (MINIMUM + 2, MINIMUM + 2), (MAXIMUM + 1, MAXIMUM)]
)
def test_existing_deployments_are_adopted_with_the_replicas_that_the_autoscaler_has_set(
    replicas: int, adopted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(monkeypatch, stable=replicas)
    assert Capacity(settings(), {}).adopted(service(None), ()) == adopted
    # Also beside a canary that is not deployed yet.
    assert Capacity(settings(), {}).adopted(service(10), {"beacon-stable"}) == 0
    cluster.has_autoscalers = False
    assert Capacity(settings(), {}).adopted(service(None), ()) == 0


def of_release(release: dict[str, Any]) -> Service:
    scaling = {"minReplicas": MINIMUM, "maxReplicas": MAXIMUM}
    return settings(release=release, autoscaling=scaling).services["beacon"]


def test_the_next_color_has_ready_pods_for_all_requests_before_the_switch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, blue=6, green=MINIMUM)
    switched = of_release({**BLUE_GREEN, "blueGreen": {"live": "green"}})
    Capacity(settings(), {}).reserve(switched, {"blue": 100}, 10, is_required=True)
    assert cluster.ready == {"blue": 6, "green": 6}


@pytest.mark.parametrize(
    ("pods", "before"),
    [({"stable": 5, "canary": 1}, shares(10)), ({"progressive": 0, PRIMARY: 6}, {PRIMARY: 100})],
    ids=["canary", "progressive"],
)
def test_the_pods_of_another_strategy_are_started_before_the_requests_move(
    pods: dict[str, int], before: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cluster(monkeypatch, **pods)
    blue = of_release({"strategy": "blueGreen"})
    assert Capacity(settings(), {}).missing_at_start(blue, before) == 6


def test_without_an_autoscaler_no_more_than_the_declared_pods_are_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Cluster(monkeypatch, stable=6)
    off = {"release": {"strategy": "blueGreen"}, "autoscaling": {"enabled": False}}
    fixed = settings(**off, workload={"replicas": 4}).services["beacon"]
    assert Capacity(settings(), {}).missing_at_start(fixed, shares(0)) == 0


@pytest.mark.parametrize(
    "release",
    [CANARY, BLUE_GREEN, {**BLUE_GREEN, "blueGreen": {"live": "green"}}, {"strategy": "rolling"}],
)
def test_the_shares_of_a_deployed_release_are_those_of_its_settings(
    release: dict[str, Any],
) -> None:
    assert deployed_shares(release) == shares_of(of_release(release).release)


def without_autoscaling(replicas: int) -> Service:
    stack = settings(autoscaling={"enabled": False}, workload={"replicas": replicas})
    return stack.services["beacon"]


@pytest.mark.parametrize("deployed", [3, 6])
def test_replicas_that_a_deleted_autoscaler_has_changed_are_those_of_the_settings_again(
    deployed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(monkeypatch, stable=deployed)
    cluster.has_autoscalers = False
    Capacity(settings(), {}).restore_replicas(without_autoscaling(4))
    assert (cluster.replicas, cluster.ready["stable"] >= 4) == ({"stable": 4}, True)


def test_missing_declared_replicas_fail_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, stable=3)
    cluster.has_autoscalers, cluster.can_start_pods = False, False
    with pytest.raises(CommandError, match="beacon-stable has 3 of 4 ready pods after 300 s"):
        Capacity(settings(), {}).restore_replicas(without_autoscaling(4))


@pytest.mark.parametrize("is_enabled", [True, False], ids=["enabled", "not yet deleted"])
def test_the_replicas_of_an_autoscaler_are_not_changed(
    is_enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(monkeypatch, stable=3)
    service = settings().services["beacon"] if is_enabled else without_autoscaling(4)
    Capacity(settings(), {}).restore_replicas(service)
    assert cluster.replicas == {"stable": 3}
