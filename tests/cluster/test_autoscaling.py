"""The autoscaler owns the replicas: load raises them, quiet lowers them, an update leaves them."""

import threading
from contextlib import suppress

import httpx
import pytest

from tests.cluster.project import ENTRY_POINT, Project, changes, wait_until

pytestmark = pytest.mark.timeout(900)

FEWEST = 2
MOST = 3
PAUSE = 0.2
"""Seconds between requests: a fraction of a core is many times what the pods request."""


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    with project.config() as config:
        config["slipway:autoscaling"]["minReplicas"] = FEWEST
        config["slipway:autoscaling"]["maxReplicas"] = MOST
        config["slipway:autoscaling"]["scaleDownStabilizationWindowSeconds"] = 15
    project.make("up")


def replicas(project: Project) -> int:
    text = project.kubectl(
        "get", "deployment", "beacon-stable", "-o", "jsonpath={.status.readyReplicas}"
    )
    return int(text or 0)


def burn(host: str, stop: threading.Event) -> None:
    with httpx.Client(base_url=ENTRY_POINT, headers={"Host": host}, timeout=30) as client:
        while not stop.wait(PAUSE):
            with suppress(httpx.HTTPError):
                client.get("/api/v1/work", params={"iterations": 500_000})


def test_replicas_follow_the_load_and_an_update_in_between_does_not_reset_them(
    project: Project,
) -> None:
    # The work of starting counts as load too: it has to be over.
    wait_until(
        "the fewest replicas at rest", lambda: replicas(project) == FEWEST, seconds=180, interval=2
    )
    stop = threading.Event()
    client = threading.Thread(target=burn, args=(project.host, stop))
    client.start()
    try:
        wait_until(
            "more replicas under load", lambda: replicas(project) > FEWEST, seconds=180, interval=2
        )
        risen = replicas(project)
        assert set(changes(project.make("up").stdout)) == {"unchanged"}
        assert replicas(project) >= risen
    finally:
        stop.set()
        client.join()
    wait_until(
        "the fewest replicas in the quiet",
        lambda: replicas(project) == FEWEST,
        seconds=240,
        interval=2,
    )
