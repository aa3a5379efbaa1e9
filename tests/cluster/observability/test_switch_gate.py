"""A bad version is switched back by the gate, with nobody there."""

import subprocess
import time

import pytest

from tests.cluster.project import Project, needs_slow, wait_until
from tests.cluster.traffic import steady_load, versions_of

pytestmark = [needs_slow, pytest.mark.timeout(900)]

GATE_SECONDS = 120
BAD = "1.4.0"
BEACON = "SERVICE=beacon"
"""The stack may have services of other tests."""


@pytest.fixture(scope="module")
def blue_green(monitored: Project) -> Project:
    """The stack with two colors and a gate after a switch. No module after this one uses it."""
    with monitored.config() as config:
        release = config["slipway:services"]["beacon"]["release"]
        release.pop("canary", None)
        release["stable"].pop("settings", None)
        gate = {"gateSeconds": 45, "keepWarmSeconds": 60}
        release |= {"strategy": "blueGreen", "blueGreen": gate}
    monitored.make("up")
    return monitored


def test_a_good_version_passes_the_gate_and_stays_live(blue_green: Project) -> None:
    blue_green.make("release", BEACON, "VERSION=1.3.0")
    with steady_load(blue_green.host, rate=20) as load:
        out = blue_green.make("promote", BEACON).stdout
    assert load.failures == []
    assert "gate: beacon 1.3.0 passed: it meets the objective in" in out
    assert set(versions_of(blue_green.host, 50)) == {"1.3.0"}


def test_a_version_that_fails_requests_is_switched_back_by_itself(blue_green: Project) -> None:
    """The version before it, which has passed the gate, is measured too."""
    good = blue_green.get().headers["X-Version"]
    with blue_green.config() as config:
        beacon = config["slipway:services"]["beacon"]
        beacon["release"]["blueGreen"]["gateSeconds"] = GATE_SECONDS
        beacon["config"]["faults"]["errorRate"] = 0.3
    blue_green.make("release", BEACON, f"VERSION={BAD}")
    with steady_load(blue_green.host, rate=20) as load:
        promotion = blue_green.start("promote", BEACON, output=subprocess.PIPE)
        wait_until("the bad version", lambda: BAD in load.versions, 90)
        switched = time.time()
        out, _ = promotion.communicate(timeout=GATE_SECONDS + 120)
        time.sleep(5)
    print(out)
    print(f"last response of {BAD} {load.last_response(BAD) - switched:.0f} s after the first")
    assert "promote] Error 1" in out
    assert f"beacon {BAD} was switched back: " in out
    assert "of its requests fail (availability; the bound is 1.4%), and 0.0% of those of" in out
    assert "The last log lines of its pods:" in out
    assert set(versions_of(blue_green.host, 50)) == {good}
    blue_green.assert_unchanged()
