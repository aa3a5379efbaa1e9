"""A service without metrics: alerts and gates by those of the proxy."""

import pytest

from tests.cluster.observability.receiver import Receiver
from tests.cluster.project import Project, needs_slow, wait_until
from tests.cluster.traffic import steady_load, versions_of

pytestmark = [needs_slow, pytest.mark.timeout(900)]

SOURCE = "tests/cluster/services/hello"
GOOD = "0.1.0"
BURN = "AvailabilityBudgetBurn"
FASTEST = {"service": "hello", "window": "1h"}
"""Labels of the alert with the shortest window, which fires first."""
SERVES = 'r.URL.Path == "/fail"'
FAILS = 'r.URL.Path != "/never"'
"""Condition of a response with the status 500. With this one, every response has it."""


def host(project: Project) -> str:
    return f"hello.{project.host}"


@pytest.fixture(scope="module")
def hello(monitored: Project) -> Project:
    """The stack with a service whose program knows nothing of metrics."""
    with monitored.config() as config:
        config["slipway:services"]["hello"] = {
            "source": SOURCE,
            "image": {"repository": f"slipway/{monitored.stack}/hello"},
            "release": {"strategy": "canary", "stable": {"version": GOOD}},
            "ports": {"http": 9000},
            "metrics": None,
            "slo": {"source": "proxy", "availability": 99.9},
            "autoscaling": {"enabled": False},
            "workload": {
                "replicas": 1,
                "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
            },
            "routing": {"hosts": [host(monitored)]},
        }
    monitored.make("up")
    return monitored


def test_a_canary_that_fails_pages_and_is_refused_promotion(
    hello: Project, receiver: Receiver
) -> None:
    with steady_load(host(hello), rate=20):
        with hello.edited(f"{SOURCE}/main.go", SERVES, FAILS):
            hello.make("canary", "SERVICE=hello", "VERSION=0.2.0", "WEIGHT=50")
        wait_until("the page", lambda: receiver.first(BURN, "firing", **FASTEST) is not None, 240)
        refused = hello.make_fails("promote", "SERVICE=hello")
    notification = receiver.first(BURN, "firing", **FASTEST)
    assert notification is not None
    assert notification.path == "/page"
    assert "hello 0.2.0 misses the objective (100.0% by availability)" in refused.stderr
    hello.make("rollback", "SERVICE=hello")
    assert set(versions_of(host(hello), 50)) == {GOOD}


def test_a_version_that_fails_is_switched_back_by_itself(hello: Project) -> None:
    """The metrics of a proxy have no version after a switch, only that of the track's pods."""
    with hello.config() as config:
        release = config["slipway:services"]["hello"]["release"]
        release |= {"strategy": "blueGreen", "blueGreen": {"gateSeconds": 120}}
    hello.make("up")
    with hello.edited(f"{SOURCE}/main.go", SERVES, FAILS):
        hello.make("release", "SERVICE=hello", "VERSION=0.3.0")
    with steady_load(host(hello), rate=20):
        failed = hello.make_fails("promote", "SERVICE=hello")
    output = failed.stdout + failed.stderr
    assert "hello 0.3.0 was switched back: " in output
    assert "of its requests fail (availability; the bound is 1.4%), and 0.0% of those of" in output
    assert set(versions_of(host(hello), 50)) == {GOOD}
    hello.assert_unchanged()
