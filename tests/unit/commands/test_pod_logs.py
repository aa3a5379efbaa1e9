"""Logs of pods, from a fake kubectl."""

import json

import pytest

from commands.container_status import ContainerStatus
from commands.pod_logs import PodLogs
from tests.unit.commands.fake_kubectl import Cluster


def pod(name: str, ready: bool, **status: object) -> dict[str, object]:
    container = {"name": "beacon", "ready": ready, **status}
    return {"metadata": {"name": name}, "status": {"containerStatuses": [container]}}


def test_the_logs_are_of_pods_that_are_not_ready_and_of_their_previous_start(
    cluster: Cluster,
) -> None:
    crashed = {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 3}},
        "restartCount": 2,
    }
    pods = [
        pod("one", True, state={"running": {}}),
        pod("two", True, state={"running": {}}),
        pod("bad", False, **crashed),
    ]
    cluster.kubectl_prints("get pods", json.dumps({"items": pods}))
    cluster.kubectl_prints("logs", "last words\n")
    environment = cluster.client().environment
    lines = PodLogs("beacon-test", "beacon", {"track": "green"}, environment, None).read()
    assert lines == [
        "bad: CrashLoopBackOff, Error, exit code 3, 2 restarts",
        "  last words",
        "one: ready",
        "  last words",
    ]
    first, *logs = cluster.calls()
    assert first[first.index("--selector") + 1] == "track=green"
    assert ["--previous" in call for call in logs] == [True, False]


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({"state": {"running": {}}}, ""),
        ({"state": {"waiting": {"reason": "ImagePullBackOff"}}}, "ImagePullBackOff"),
        (
            {"state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}, "restartCount": 1},
            "OOMKilled, exit code 137, 1 restarts",
        ),
    ],
)
def test_a_container_that_does_not_run_says_why(status: dict[str, object], problem: str) -> None:
    assert ContainerStatus.of(pod("one", False, **status), "beacon").problem == problem
