"""Weighted canary: weights, promotion and rollback under load."""

import time

import pytest

from tests.cluster.project import IS_SLOW, NODE_BACKENDS, Project, wait_until
from tests.cluster.traffic import steady_load, versions_of

pytestmark = pytest.mark.timeout(900)

REQUESTS = 1000
ATTEMPTS = 3
FORCE = "FORCE=1"
"""The tests release versions again that they have rolled back."""


@pytest.fixture(scope="module", autouse=True, params=NODE_BACKENDS if IS_SLOW else ["ingress"])
def deployed(project: Project, request: pytest.FixtureRequest) -> None:
    with project.service() as service:
        service["routing"]["backend"] = request.param
    project.make("up")


def wait_for_version(project: Project, version: str) -> None:
    """Wait until the proxy routes requests to a version."""
    wait_until(
        f"a response of {version}",
        lambda: version in versions_of(project.host, 30),
        seconds=15,
    )


def is_ten_percent(requests: int) -> bool:
    return REQUESTS // 10 - 5 <= requests <= REQUESTS // 10 + 5


def test_a_weight_of_ten_percent_routes_a_hundred_of_a_thousand_requests(project: Project) -> None:
    with steady_load(project.host) as load:
        project.make("canary", "VERSION=1.1.0", "WEIGHT=10", FORCE)
    assert load.failures == []
    wait_for_version(project, "1.1.0")
    counts: list[int] = []
    # The proxy restarts its weighted round robin when any route on the node changes.
    while len(counts) < ATTEMPTS and not any(map(is_ten_percent, counts)):
        seen = versions_of(project.host, REQUESTS)
        assert set(seen) == {"1.0.0", "1.1.0"}, seen
        counts.append(seen["1.1.0"])
    assert is_ten_percent(counts[-1]), counts


def test_the_override_header_selects_the_track(project: Project) -> None:
    for _ in range(20):
        assert project.get(**{"X-Canary": "always"}).headers["X-Version"] == "1.1.0"
        assert project.get(**{"X-Canary": "never"}).headers["X-Version"] == "1.0.0"


def test_a_promotion_deploys_the_image_of_the_canary_not_newer_source(project: Project) -> None:
    canary = project.kubectl("get", "deployment", "beacon-canary", "-o", "jsonpath={..image}")
    project.edit_source("// Newer than the canary.")
    with steady_load(project.host) as load:
        project.make("promote")
    assert load.failures == []
    stable = project.kubectl("get", "deployment", "beacon-stable", "-o", "jsonpath={..image}")
    assert stable == canary
    assert set(versions_of(project.host, 100)) == {"1.1.0"}


def test_a_rollback_ends_the_requests_to_the_canary_before_its_update(project: Project) -> None:
    project.make("canary", "VERSION=1.2.0", "WEIGHT=50", FORCE)
    wait_for_version(project, "1.2.0")
    with steady_load(project.host) as load:
        time.sleep(2)
        started = time.time()
        project.make("rollback")
        ended = time.time()
    assert load.failures == []
    last = load.last_response("1.2.0")
    print(f"last response of 1.2.0 {last - started:.1f} s after the start of make rollback")
    # On an idle machine within 5 s of the start; the update takes longer.
    assert last < ended
    assert set(versions_of(project.host, 100)) == {"1.1.0"}


def test_a_rollback_without_a_canary_restores_the_previous_stable_version(
    project: Project,
) -> None:
    with steady_load(project.host) as load:
        project.make("rollback")
    assert load.failures == []
    assert set(versions_of(project.host, 100)) == {"1.0.0"}
