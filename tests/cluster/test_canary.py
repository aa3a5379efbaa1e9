"""A weighted canary on both back ends: shares, promotion and rollback under steady requests."""

import os
import signal
import subprocess
import time
from typing import get_args

import pytest

from settings import RoutingBackend
from tests.cluster.project import Project, read_until, wait_until
from tests.cluster.traffic import SteadyLoad, versions_of

pytestmark = pytest.mark.timeout(900)

REQUESTS = 1000
COUNTS = 3


@pytest.fixture(scope="module", autouse=True, params=get_args(RoutingBackend))
def deployed(project: Project, request: pytest.FixtureRequest) -> None:
    """Every test of the module, first with one back end and then with the other."""
    with project.config() as config:
        config["slipway:routing"]["backend"] = request.param
    project.make("up")


def settle(project: Project, version: str) -> None:
    """Wait until the proxy has seen the new routes: any answer of ``version`` shows it."""
    wait_until(
        f"an answer of {version}",
        lambda: version in versions_of(project.host, 30),
        seconds=15,
    )


def is_a_tenth(requests: int) -> bool:
    return REQUESTS // 10 - 5 <= requests <= REQUESTS // 10 + 5


def test_a_canary_of_ten_percent_gets_a_hundred_of_a_thousand_requests(project: Project) -> None:
    with SteadyLoad(project.host) as load:
        project.make("canary", "VERSION=1.1.0", "WEIGHT=10")
    assert load.failures == []
    settle(project, "1.1.0")
    shares: list[int] = []
    # A change of any route on the node lets the proxy begin its round anew, each time with stable.
    while len(shares) < COUNTS and not any(is_a_tenth(share) for share in shares):
        seen = versions_of(project.host, REQUESTS)
        assert set(seen) == {"1.0.0", "1.1.0"}, seen
        shares.append(seen["1.1.0"])
    assert is_a_tenth(shares[-1]), shares


def test_a_tester_reaches_the_canary_by_a_header(project: Project) -> None:
    for _ in range(20):
        assert project.get(**{"X-Canary": "always"}).headers["X-Version"] == "1.1.0"
        assert project.get(**{"X-Canary": "never"}).headers["X-Version"] == "1.0.0"


def test_source_edited_after_the_canary_never_reaches_a_promoted_version(project: Project) -> None:
    canary = project.kubectl("get", "deployment", "beacon-canary", "-o", "jsonpath={..image}")
    main = project.folder / "app" / "main.go"
    main.write_text(main.read_text() + "\n// Newer than what the canary runs.\n")
    with SteadyLoad(project.host) as load:
        project.make("promote")
    assert load.failures == []
    stable = project.kubectl("get", "deployment", "beacon-stable", "-o", "jsonpath={..image}")
    assert stable == canary
    assert set(versions_of(project.host, 100)) == {"1.1.0"}


def test_a_rollback_takes_the_canary_out_within_five_seconds(project: Project) -> None:
    project.make("canary", "VERSION=1.2.0", "WEIGHT=50")
    settle(project, "1.2.0")
    with SteadyLoad(project.host) as load:
        project.make("rollback")
        ended = time.monotonic()
        time.sleep(6)
    assert load.failures == []
    assert load.last_seen["1.2.0"] - ended < 5
    assert set(versions_of(project.host, 100)) == {"1.1.0"}


def test_a_rollback_that_was_cut_off_is_finished_and_goes_no_further(project: Project) -> None:
    project.make("canary", "VERSION=1.2.0", "WEIGHT=50")
    process = project.start("rollback", subprocess.PIPE)
    read_until("canary 1.2.0 ended", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert "as the interrupted rollback wrote it" in project.make("rollback").stdout
    settle(project, "1.1.0")
    assert set(versions_of(project.host, 100)) == {"1.1.0"}


def test_a_rollback_without_a_canary_returns_to_the_stable_version_before(
    project: Project,
) -> None:
    with SteadyLoad(project.host) as load:
        project.make("rollback")
    assert load.failures == []
    assert set(versions_of(project.host, 100)) == {"1.0.0"}
