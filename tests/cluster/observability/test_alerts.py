"""Alerts are delivered to the receivers of their severity."""

import time

import pytest

from tests.cluster.observability.receiver import Receiver
from tests.cluster.observability.servers import Servers
from tests.cluster.project import Project, wait_until
from tests.cluster.traffic import steady_load, versions_of

pytestmark = pytest.mark.timeout(900)

BURN = "AvailabilityBudgetBurn"
FASTEST = {"window": "1h"}
"""Labels of the alert with the shortest window, which fires first."""
GOOD_PER_FAILED_REQUEST = 100
"""The alert fires above an error ratio of 1.44 %, 14.4 times that of the objective."""
ROOT = "func (s *Server) root(w http.ResponseWriter, _ *http.Request) {\n"
FAILING_ROOT = """\
func (s *Server) root(w http.ResponseWriter, r *http.Request) {
	problem(w, r, http.StatusInternalServerError, "a failing version")
}

func (s *Server) unusedRoot(w http.ResponseWriter, _ *http.Request) {
"""


def test_without_an_incident_only_the_watchdog_fires(servers: Servers) -> None:
    def firing() -> set[str]:
        states = servers.alert_states().items()
        return {name for name, state in states if state == "firing"} - {"Watchdog"}

    wait_until(f"no alert; firing: {firing()}", lambda: not firing(), 120, interval=5)


def test_the_watchdog_is_sent_to_the_heartbeat_receiver(
    servers: Servers, receiver: Receiver
) -> None:
    wait_until(
        f"the watchdog; alerts: {servers.alert_states()}",
        lambda: receiver.first("Watchdog", "firing") is not None,
        120,
    )
    notification = receiver.first("Watchdog", "firing")
    assert notification is not None
    assert notification.path == "/heartbeat"


def test_a_failing_version_pages_is_not_promoted_and_its_rollback_resolves_the_alert(
    monitored: Project, servers: Servers, receiver: Receiver
) -> None:
    with steady_load(monitored.host, rate=15) as load:
        with monitored.edited("app/internal/server/api.go", ROOT, FAILING_ROOT):
            monitored.make("canary", "VERSION=1.0.1", "WEIGHT=10")
        wait_until("the first failed request", lambda: bool(load.failures), 30)
        failed = time.monotonic()
        wait_until(
            f"the page {BURN}; alerts: {servers.alert_states()}",
            lambda: receiver.first(BURN, "firing", **FASTEST) is not None,
            240,
            interval=1,
        )
        notification = receiver.first(BURN, "firing", **FASTEST)
        assert notification is not None
        assert notification.path == "/page"
        assert notification.labels["severity"] == "page"
        assert notification.annotations["runbook_url"].endswith(f"{BURN}.md")
        seconds = notification.received - failed
        print(f"{seconds:.0f} s from the first failed request to the notification")
        refused = monitored.make_fails("promote").stderr
        assert "beacon 1.0.1 misses the objective (100.0% by availability)" in refused
        monitored.make("rollback")
        rolled_back = time.monotonic()
    # Successful requests lower the error ratio of the short window before its end.
    versions_of(monitored.host, GOOD_PER_FAILED_REQUEST * len(load.failures))
    wait_until(
        f"the resolution of {BURN}",
        lambda: receiver.first(BURN, "resolved", **FASTEST) is not None,
        420,
        interval=1,
    )
    resolved = receiver.first(BURN, "resolved", **FASTEST)
    assert resolved is not None
    print(
        f"{resolved.received - rolled_back:.0f} s from the end of the rollback to the notification"
    )
