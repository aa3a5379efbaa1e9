"""No request fails while a service with a good version changes, under constant open-loop load.

``REQUESTS=20000 .venv/bin/python -m pytest tests/cluster/test_zero_downtime.py`` sends at least
20,000 requests in each case, through each back end.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster.project import NODE_BACKENDS, Project, wait_until
from tests.cluster.traffic import steady_load

REQUESTS = int(os.environ.get("REQUESTS", "3000"))
"""Fewest requests of a case."""
IS_FULL = REQUESTS >= 20_000
RATE = 400 if IS_FULL else 150
"""Requests per second: in the suite, other tests use the two processors too."""
REPLICAS = 3

pytestmark = pytest.mark.timeout(900 + REQUESTS // RATE)


@pytest.fixture(scope="module", autouse=True, params=NODE_BACKENDS if IS_FULL else ["gateway"])
def deployed(project: Project, request: pytest.FixtureRequest) -> None:
    with project.service() as service:
        service["routing"]["backend"] = request.param
        # The load must not change the number of pods.
        service["autoscaling"] = {"enabled": False}
        service["workload"]["replicas"] = REPLICAS
    project.make("up")


@contextmanager
def no_failed_request(project: Project) -> Iterator[None]:
    """Send requests during the block, and at least :data:`REQUESTS`. None may fail."""
    with steady_load(project.host, RATE) as load:
        yield
        wait_until(
            f"{REQUESTS} requests",
            lambda: len(load.results) >= REQUESTS,
            seconds=60 + 2 * REQUESTS / RATE,
        )
    slowest = max(result.latency for result in load.results)
    print(f"{len(load.results)} requests, slowest {slowest:.2f} s: {dict(load.versions)}")
    assert list(load.failures) == []


def deployment(project: Project, track: str = "stable") -> dict[str, Any]:
    return json.loads(project.kubectl("get", "deployment", f"beacon-{track}", "--output", "json"))


def pods(project: Project) -> dict[str, str]:
    """Return the UID of each running pod of the stable track by its name."""
    selector = "app.kubernetes.io/name=beacon,track=stable"
    items = json.loads(project.kubectl("get", "pods", "-l", selector, "--output", "json"))["items"]
    return {
        item["metadata"]["name"]: item["metadata"]["uid"]
        for item in items
        if "deletionTimestamp" not in item["metadata"]
    }


def wait_until_ready(project: Project, gone: str) -> None:
    """Wait until a pod is replaced."""
    wait_until(
        f"{REPLICAS} ready pods without {gone}",
        lambda: (
            gone not in pods(project)
            and deployment(project)["status"].get("readyReplicas") == REPLICAS
        ),
        seconds=120,
    )


def change(project: Project) -> None:
    """Change the pods of the service."""
    with project.service() as service:
        variables = service.setdefault("env", {})
        variables["CHANGED"] = str(int(variables.get("CHANGED", "0")) + 1)


def test_a_rolling_update_fails_no_request(project: Project) -> None:
    before = pods(project)
    change(project)
    with no_failed_request(project):
        project.make("up")
    assert not before.keys() & pods(project).keys()


def test_the_steps_and_the_promotion_of_a_canary_fail_no_request(project: Project) -> None:
    for weight in (10, 50):
        with no_failed_request(project):
            project.make("canary", "VERSION=1.1.0", f"WEIGHT={weight}")
    with no_failed_request(project):
        project.make("promote")
    assert project.get().headers["X-Version"] == "1.1.0"


def test_a_rollback_fails_no_request(project: Project) -> None:
    with no_failed_request(project):
        project.make("rollback", "VERSION=1.0.0")
    assert project.get().headers["X-Version"] == "1.0.0"


def evict(project: Project, pod: str) -> bool:
    """Request the eviction of a pod, as ``kubectl drain``. False: its budget does not allow it."""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": project.stack},
    }
    path = f"/api/v1/namespaces/{project.stack}/pods/{pod}/eviction"
    result = subprocess.run(
        ["kubectl", "create", "--raw", path, "-f", "-"],
        env=dict(project.environment),
        input=json.dumps(eviction),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0 or "disruption budget" in result.stderr, result.stderr
    return result.returncode == 0


def test_the_eviction_of_every_pod_fails_no_request(project: Project) -> None:
    """A drain of the only node: its new pods could start nowhere, so it is not cordoned."""
    before = pods(project)
    with no_failed_request(project):
        for pod in before:
            wait_until(f"the eviction of {pod}", lambda pod=pod: evict(project, pod), seconds=120)
    wait_until_ready(project, gone="")
    assert not before.keys() & pods(project).keys()


def test_the_deletion_of_a_pod_fails_no_request(project: Project) -> None:
    with no_failed_request(project):
        for pod in pods(project):
            project.kubectl("delete", "pod", pod, "--wait=false")
            wait_until_ready(project, gone=pod)


def test_an_engine_killed_during_an_update_and_the_next_update_fail_no_request(
    project: Project,
) -> None:
    generation = deployment(project)["metadata"]["generation"]
    change(project)
    with no_failed_request(project):
        process = project.start("up", output=subprocess.DEVNULL)
        wait_until(
            "the update of the Deployment",
            lambda: deployment(project)["metadata"]["generation"] > generation,
            seconds=120,
            interval=0.2,
        )
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        project.make("up")
    project.assert_unchanged()


def test_blue_green_releases_fail_no_request(project: Project) -> None:
    with project.service() as service:
        service["release"] |= {"strategy": "blueGreen", "blueGreen": {}}
    with no_failed_request(project):
        project.make("up")  # from the strategy canary
    project.make("release", "VERSION=1.2.0")
    with no_failed_request(project):
        project.make("promote")
    assert project.get().headers["X-Version"] == "1.2.0"
    with no_failed_request(project):
        project.make("rollback")
    assert project.get().headers["X-Version"] == "1.0.0"
    project.make("rollback")  # ends the idle version
    with project.service() as service:
        del service["release"]["blueGreen"]
        service["release"]["strategy"] = "canary"
    with no_failed_request(project):
        project.make("up")


def test_a_scale_in_fails_no_request(project: Project) -> None:
    with project.service() as service:
        service["workload"]["replicas"] = 1
    with no_failed_request(project):
        project.make("up")
        wait_until("one pod", lambda: len(pods(project)) == 1, seconds=60)
        time.sleep(1)
