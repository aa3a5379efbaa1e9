"""A bad version pages somebody, and its rollback ends the alarm."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.observability.receiver import Receiver
from tests.cluster.observability.servers import Servers
from tests.cluster.project import Project, wait_until
from tests.cluster.traffic import SteadyLoad, versions_of

pytestmark = pytest.mark.timeout(900)

BURN = "AvailabilityBudgetBurn"
FASTEST = {"window": "1h"}
"""The labels of the alert that is quickest to fire."""
GOOD_FOR_ONE_BAD = 100
"""It fires above 1.44 %: 14.4 times what the objective allows."""
BAD_ROOT = """\
func (s *Server) root(w http.ResponseWriter, r *http.Request) {
	problem(w, r, http.StatusInternalServerError, "a bad version")
}

func (s *Server) goodRoot(w http.ResponseWriter, _ *http.Request) {
"""


@contextmanager
def bad_source(project: Project) -> Iterator[None]:
    """Let what is built answer every request for / with an error."""
    source = project.folder / "app" / "internal" / "server" / "api.go"
    good = source.read_text()
    head = "func (s *Server) root(w http.ResponseWriter, _ *http.Request) {\n"
    assert head in good
    source.write_text(good.replace(head, BAD_ROOT))
    try:
        yield
    finally:
        source.write_text(good)


def test_nothing_but_the_dead_mans_switch_fires_in_the_quiet(servers: Servers) -> None:
    def loud() -> set[str]:
        firing = {name for name, state in servers.alert_states().items() if state == "firing"}
        return firing - {"Watchdog"}

    wait_until(f"quiet; firing are {loud()}", lambda: not loud(), 120, interval=5)


def test_the_dead_mans_switch_is_told_all_the_time(servers: Servers, receiver: Receiver) -> None:
    wait_until(
        f"the heartbeat; firing are {servers.alert_states()}",
        lambda: receiver.first("Watchdog", "firing") is not None,
        120,
    )
    told = receiver.first("Watchdog", "firing")
    assert told is not None
    assert told.path == "/alive"


def test_a_bad_version_pages_and_its_rollback_ends_the_alarm(
    monitored: Project, servers: Servers, receiver: Receiver
) -> None:
    with SteadyLoad(monitored.host, rate=15) as load:
        with bad_source(monitored):
            monitored.make("canary", "VERSION=1.0.1", "WEIGHT=10")
        wait_until("the first failed request", lambda: bool(load.failures), 30)
        failed = time.monotonic()
        wait_until(
            f"the page {BURN}; firing are {servers.alert_states()}",
            lambda: receiver.first(BURN, "firing", **FASTEST) is not None,
            240,
            interval=1,
        )
        told = receiver.first(BURN, "firing", **FASTEST)
        assert told is not None
        assert told.path == "/page"
        assert told.labels["severity"] == "page"
        assert told.annotations["runbook_url"].endswith(f"{BURN}.md")
        print(f"{told.at - failed:.0f} s from the first failed request to the notification")
        monitored.make("rollback")
        rolled_back = time.monotonic()
    # Good requests in number bring the ratio of the short window down before it has passed.
    versions_of(monitored.host, GOOD_FOR_ONE_BAD * len(load.failures))
    wait_until(
        f"the end of {BURN}",
        lambda: receiver.first(BURN, "resolved", **FASTEST) is not None,
        420,
        interval=1,
    )
    ended = receiver.first(BURN, "resolved", **FASTEST)
    assert ended is not None
    print(f"{ended.at - rolled_back:.0f} s from the end of the rollback to the all-clear")
