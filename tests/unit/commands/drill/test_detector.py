"""Signs of a bad version, from the cluster and from Prometheus."""

import json
from typing import Any

import pytest

from commands.drill.detector import Detector
from commands.observability_client import monitored
from components.observability.addresses import PROMETHEUS
from tests.unit.commands.fake_kubectl import Cluster, vector

BAD, GOOD, BEGAN = "1.0.1-drill.errors", "1.0.0", 1_000_000_000.0
BEFORE, AFTER = "2001-09-09T01:46:30Z", "2001-09-09T01:47:30.123456789Z"


def pod(version: str = BAD, **container: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/version": version}
    metadata = {"name": f"beacon-{version}", "labels": labels, "generation": 1}
    return {"kind": "Pod", "metadata": metadata, "status": {"containerStatuses": [container]}}


def waiting(reason: str) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason}}}


STALLED = pod() | {
    "kind": "Deployment",
    "status": {
        "conditions": [
            {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
        ]
    },
}


def alert(name: str, active: str, state: str = "firing", **labels: str) -> Any:
    of_service = {"alertname": name, "namespace": "beacon-test", "service": "beacon"}
    return {"labels": {**of_service, **labels}, "state": state, "activeAt": active}


def found(
    cluster: Cluster,
    objects: list[Any],
    alerts: list[Any],
    gate: list[Any],
    *,
    is_alone: bool = True,
) -> tuple[str, str] | None:
    cluster.kubectl_prints("get", json.dumps({"items": objects}))
    cluster.respond(PROMETHEUS, "/api/v1/alerts", {"data": {"alerts": alerts}})
    cluster.respond(PROMETHEUS, "/api/v1/query", vector(*gate))
    with cluster.client() as client:
        (service,) = monitored(client.settings, client.settings.services.values())
        detector = Detector(service, client.environment, None, client, is_alone=is_alone)
        return detector.find(BAD, BEGAN)


@pytest.mark.parametrize(
    ("objects", "alerts", "gate", "sign"),
    [
        ([pod(), pod(GOOD, **waiting("CrashLoopBackOff"))], [], [], None),
        ([pod(**waiting("ContainerCreating"))], [], [], None),
        (
            [pod(**waiting("CrashLoopBackOff"))],
            [],
            [],
            ("rollout", "CrashLoopBackOff"),
        ),
        (
            [pod(state={"running": {}}, lastState={"terminated": {"reason": "OOMKilled"}})],
            [],
            [],
            ("rollout", "OOMKilled"),
        ),
        ([STALLED], [], [], ("rollout", "ProgressDeadlineExceeded")),
        ([pod()], [], [({"sli": "latency"}, 0.5)], ("gate", "50.0% bad by latency")),
        ([pod()], [alert("LatencyBudgetBurn", AFTER)], [], ("alert", "LatencyBudgetBurn")),
        ([pod()], [alert("LatencyBudgetBurn", BEFORE)], [], None),
        ([pod()], [alert("LatencyBudgetBurn", AFTER, state="pending")], [], None),
        ([pod()], [alert("LatencyBudgetBurn", AFTER, namespace="other")], [], None),
        (
            [pod()],
            [alert("CanaryRegression", AFTER, version=BAD)],
            [],
            ("alert", "CanaryRegression"),
        ),
        ([pod()], [alert("CanaryRegression", AFTER, version=GOOD)], [], None),
        (
            [pod()],
            [alert("ProbesFailing", AFTER, pod=f"beacon-{BAD}")],
            [],
            ("alert", "ProbesFailing"),
        ),
        ([pod()], [alert("ProbesFailing", AFTER, pod=f"beacon-{GOOD}")], [], None),
    ],
)
def test_only_signs_of_the_bad_version_count(
    cluster: Cluster,
    objects: list[Any],
    alerts: list[Any],
    gate: list[Any],
    sign: tuple[str, str] | None,
) -> None:
    assert found(cluster, objects, alerts, gate) == sign


def test_an_objective_of_the_service_says_nothing_about_a_version_beside_another_one(
    cluster: Cluster,
) -> None:
    alerts = [alert("AvailabilityBudgetBurn", AFTER)]
    assert found(cluster, [pod()], alerts, [], is_alone=False) is None


def test_failed_rollouts_are_found_while_prometheus_is_down(cluster: Cluster) -> None:
    cluster.kubectl_prints("get", json.dumps({"items": [STALLED]}))
    cluster.kubectl_prints("port-forward", "", "error: pod is not running", 1)
    with cluster.client() as client:
        (service,) = monitored(client.settings, client.settings.services.values())
        detector = Detector(service, client.environment, None, client, is_alone=True)
        assert detector.find(BAD, BEGAN) == ("rollout", "ProgressDeadlineExceeded")
        assert detector.find(GOOD, BEGAN) is None
