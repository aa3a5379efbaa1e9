"""Two colors: preview, switch, rollback and other strategies, under load."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cluster.project import INGRESS_URL, IS_SLOW, NODE_BACKENDS, Project, wait_until
from tests.cluster.traffic import steady_load, versions_of

pytestmark = pytest.mark.timeout(900)

KEEP_WARM = 120


@pytest.fixture(scope="module", autouse=True, params=NODE_BACKENDS if IS_SLOW else ["gateway"])
def deployed(project: Project, request: pytest.FixtureRequest) -> Iterator[None]:
    """The service with two colors, of which one has no version yet."""
    with project.service() as service:
        service["routing"]["backend"] = request.param
        service["release"] |= {
            "strategy": "blueGreen",
            "blueGreen": {"previewHost": preview_host(project), "keepWarmSeconds": KEEP_WARM},
        }
    project.make("up")
    yield
    set_strategy(project, "rolling")


def preview_host(project: Project) -> str:
    return f"next.{project.host}"


def preview(project: Project) -> str:
    """Version or status of a response from the preview host."""
    headers = {"Host": preview_host(project)}
    response = httpx.get(INGRESS_URL, headers=headers, timeout=10)
    return response.headers.get("X-Version", str(response.status_code))


def set_strategy(project: Project, strategy: str) -> None:
    """Change the strategy in the stack file; the versions and settings beside stable end."""
    with project.service() as service:
        release: Any = service["release"]
        for key in ("canary", "idle", "blueGreen"):
            release.pop(key, None)
        release["stable"].pop("settings", None)
        release["strategy"] = strategy


def tracks(project: Project) -> set[str]:
    """Names of the Deployments."""
    names = project.kubectl("get", "deployments", "--output", "jsonpath={.items[*].metadata.name}")
    return set(names.split())


def test_a_released_version_is_seen_by_the_preview_host_only(project: Project) -> None:
    with steady_load(project.host) as load:
        # With the other back end, it was rolled back.
        project.make("release", "VERSION=1.1.0", "FORCE=1")
        wait_until("the preview", lambda: preview(project) == "1.1.0", 15)
    assert load.failures == []
    assert set(load.versions) == {"1.0.0"}
    assert project.get(**{"X-Canary": "always"}).headers["X-Version"] == "1.1.0"


def test_a_promotion_switches_every_request_at_once(project: Project) -> None:
    pods = project.kubectl("get", "pods", "--selector", "track=green", "--output", "name")
    with steady_load(project.host) as load:
        printed = project.make("promote").stdout
        time.sleep(5)
    assert load.failures == []
    assert set(versions_of(project.host, 100)) == {"1.1.0"}
    assert preview(project) == "1.0.0"
    assert project.kubectl("get", "pods", "--selector", "track=green", "--output", "name") == pods
    window = project.kubectl(
        *("get", "hpa", "beacon-blue", "--output"),
        "jsonpath={.spec.behavior.scaleDown.stabilizationWindowSeconds}",
    )
    assert int(window) == KEEP_WARM
    assert "stable (green)" in printed
    project.assert_unchanged()


def test_a_rollback_switches_back_before_its_update(project: Project) -> None:
    with steady_load(project.host) as load:
        time.sleep(2)
        started = time.time()
        project.make("rollback")
        ended = time.time()
    assert load.failures == []
    last = load.last_response("1.1.0")
    print(f"last response of 1.1.0 {last - started:.1f} s after the start of make rollback")
    # On an idle machine within 5 s of the start; the update takes longer.
    assert last < ended
    assert set(versions_of(project.host, 100)) == {"1.0.0"}
    assert preview(project) == "1.1.0"


def test_each_strategy_takes_over_from_the_other_without_a_failed_request(
    project: Project,
) -> None:
    strategies = (
        ("canary", {"beacon-stable"}),
        ("blueGreen", {"beacon-blue"}),
        ("rolling", {"beacon-stable"}),
        ("blueGreen", {"beacon-blue"}),
    )
    # A canary and a rolling update have the same objects without a version beside stable.
    for strategy, expected in strategies if IS_SLOW else strategies[:2]:
        set_strategy(project, strategy)
        with steady_load(project.host) as load:
            project.make("up")
            time.sleep(3)
        assert load.failures == [], strategy
        assert set(load.versions) == {"1.0.0"}
        assert tracks(project) == expected
        in_cluster = project.kubectl("get", "service", "beacon-stable", "-o", "jsonpath={.spec}")
        assert expected.pop().removeprefix("beacon-") in in_cluster
