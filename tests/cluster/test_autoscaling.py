"""The autoscaler sets the number of replicas; an update does not, and waits for those it needs."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from tests.cluster.project import INGRESS_URL, Project, wait_until

pytestmark = pytest.mark.timeout(900)

MIN_REPLICAS = 2
MAX_REPLICAS = 3
INTERVAL = 0.2
"""Seconds between requests."""


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    with project.service() as service:
        service.setdefault("autoscaling", {})["minReplicas"] = MIN_REPLICAS
        service.setdefault("autoscaling", {})["maxReplicas"] = MAX_REPLICAS
        service.setdefault("autoscaling", {})["scaleDownStabilizationWindowSeconds"] = 15
    project.make("up")


def ready_replicas(project: Project, track: str = "stable") -> int:
    text = project.kubectl(
        "get", "deployment", f"beacon-{track}", "-o", "jsonpath={.status.readyReplicas}"
    )
    return int(text or 0)


def wait_for_replicas(project: Project, replicas: int) -> None:
    wait_until(
        f"{replicas} replicas",
        lambda: ready_replicas(project) == replicas,
        seconds=240,
        interval=2,
    )


@contextmanager
def fewest_replicas(project: Project) -> Iterator[list[int]]:
    """Yield a list that has, after the block, the fewest desired or ready replicas during it."""
    path = "jsonpath={.spec.replicas} {.status.readyReplicas}{'\\n'}"
    deployment = ("deployment", "beacon-stable", "--namespace", project.stack)
    watch = subprocess.Popen(
        ["kubectl", "get", *deployment, "--watch", "--output", path],
        env=dict(project.environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    fewest: list[int] = []
    try:
        yield fewest
    finally:
        watch.terminate()
        fewest.append(min(int(number) for number in watch.communicate()[0].split()))


def test_a_switch_of_the_autoscaler_keeps_the_pods(project: Project) -> None:
    wait_for_replicas(project, MIN_REPLICAS)
    with project.service() as service:
        service["autoscaling"]["enabled"] = False
        service["workload"]["replicas"] = MAX_REPLICAS + 1
        # The update lasts longer than the HPA controller waits.
        service["workload"]["rollout"] = {"minReadySeconds": 20}
    with fewest_replicas(project) as fewest:
        project.make("up")
    assert fewest == [MIN_REPLICAS]
    wait_for_replicas(project, MAX_REPLICAS + 1)
    with project.service() as service:
        service["autoscaling"]["enabled"] = True
    with fewest_replicas(project) as fewest:
        project.make("up")
        wait_for_replicas(project, MIN_REPLICAS)
    assert fewest == [MIN_REPLICAS]
    project.assert_no_drift()


class Load:
    """Requests that use many times the CPU request of the pods, until ``stop``."""

    def __init__(self, project: Project) -> None:
        self._host = project.host
        self._stopped = threading.Event()
        self._client = threading.Thread(target=self._send, daemon=True)
        self._client.start()

    def _send(self) -> None:
        headers = {"Host": self._host}
        with httpx.Client(base_url=INGRESS_URL, headers=headers, timeout=30) as client:
            while not self._stopped.wait(INTERVAL):
                with suppress(httpx.HTTPError):
                    client.get("/api/v1/work", params={"iterations": 500_000})

    def stop(self) -> None:
        """Send no more requests."""
        self._stopped.set()
        self._client.join()


@pytest.fixture(scope="module")
def load(project: Project) -> Iterator[Load]:
    """Load that the autoscaler has scaled stable to its maximum for."""
    # Starting uses CPU too.
    wait_for_replicas(project, MIN_REPLICAS)
    load = Load(project)
    wait_for_replicas(project, MAX_REPLICAS)
    yield load
    load.stop()


@pytest.mark.usefixtures("load")
def test_an_update_does_not_reset_the_replicas_that_the_load_needs(project: Project) -> None:
    project.assert_unchanged()
    assert ready_replicas(project) == MAX_REPLICAS


def test_a_canary_gets_all_requests_only_with_the_pods_that_they_need(
    project: Project, load: Load
) -> None:
    canary = project.start("canary", "VERSION=1.1.0", "WEIGHT=100", output=subprocess.DEVNULL)
    wait_until(
        "a response of the canary",
        lambda: project.get().headers.get("X-Version") == "1.1.0",
        seconds=300,
        interval=0.5,
    )
    assert ready_replicas(project, "canary") == MAX_REPLICAS
    assert canary.wait() == 0
    assert ready_replicas(project, "canary") == MAX_REPLICAS
    load.stop()
    project.assert_no_drift()
    project.make("rollback")
    wait_for_replicas(project, MIN_REPLICAS)
