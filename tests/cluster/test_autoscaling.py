"""The autoscaler sets the number of replicas; an update does not."""

import threading
from contextlib import suppress

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


def send_work(host: str, stop: threading.Event) -> None:
    with httpx.Client(base_url=INGRESS_URL, headers={"Host": host}, timeout=30) as client:
        while not stop.wait(INTERVAL):
            with suppress(httpx.HTTPError):
                client.get("/api/v1/work", params={"iterations": 500_000})


def test_replicas_scale_with_the_load_and_an_update_does_not_reset_them(
    project: Project,
) -> None:
    # Starting uses CPU too.
    wait_until(
        "the minimum of replicas after the start",
        lambda: ready_replicas(project) == MIN_REPLICAS,
        seconds=180,
        interval=2,
    )
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
    wait_until(
        "the minimum of replicas without load",
        lambda: ready_replicas(project) == MIN_REPLICAS,
        seconds=240,
        interval=2,
    )
