"""The autoscaler sets the number of replicas; an update does not."""

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
"""Seconds between requests. They use many times the CPU request of the pods."""


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    with project.service() as service:
        service.setdefault("autoscaling", {})["minReplicas"] = MIN_REPLICAS
        service.setdefault("autoscaling", {})["maxReplicas"] = MAX_REPLICAS
        service.setdefault("autoscaling", {})["scaleDownStabilizationWindowSeconds"] = 15
    project.make("up")


def ready_replicas(project: Project) -> int:
    text = project.kubectl(
        "get", "deployment", "beacon-stable", "-o", "jsonpath={.status.readyReplicas}"
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


def send_work(host: str, stop: threading.Event) -> None:
    with httpx.Client(base_url=INGRESS_URL, headers={"Host": host}, timeout=30) as client:
        while not stop.wait(INTERVAL):
            with suppress(httpx.HTTPError):
                client.get("/api/v1/work", params={"iterations": 500_000})


def test_replicas_scale_with_the_load_and_an_update_does_not_reset_them(
    project: Project,
) -> None:
    # Starting uses CPU too.
    wait_for_replicas(project, MIN_REPLICAS)
    stop = threading.Event()
    client = threading.Thread(target=send_work, args=(project.host, stop))
    client.start()
    try:
        wait_until(
            "more replicas under load",
            lambda: ready_replicas(project) > MIN_REPLICAS,
            seconds=180,
            interval=2,
        )
        scaled = ready_replicas(project)
        project.assert_unchanged()
        assert ready_replicas(project) >= scaled
    finally:
        stop.set()
        client.join()
    wait_for_replicas(project, MIN_REPLICAS)
