"""The queries of the dashboards against running servers."""

import re
import time

import pytest

from commands.errors import CommandError
from commands.observability_client import slo_of
from components.observability.dashboards import all_dashboards
from components.observability.monitored_service import MonitoredService
from tests.cluster.observability.servers import Servers
from tests.cluster.project import Project, wait_until
from tests.unit.components.observability.dashboards.queries import Query, queries

pytestmark = pytest.mark.timeout(1200)

SECONDS = 600
"""Time range of the queries."""
MAY_BE_EMPTY = re.compile(
    r"""
    .*:\ Releases                           # no new version in the time range
    | service:\ (.*,\ (stable|canary)|.*\ by\ route)    # no canary, or no requests
    | objective:\ (?!Objective,).*          # likewise
    | overview:\ (Requests|Errors|p95|p99|Error\ budget\ .*|Firing\ alerts|Error\ lines)
    | workload:\ (Waiting\ and\ .*|HorizontalPodAutoscaler)
    | nodes:\ (Pressure|OOM\ kills|Disk\ .*)  # depends on kernel and disks
    | logs:\ Error\ lines
    | monitoring:\ (Notifications|Lines\ (discarded|sent)\ .*|Spans\ .*|Volume\ usage)
    """,
    re.VERBOSE,
)
"""Panels whose queries are valid, but may have no result."""


@pytest.fixture(scope="module")
def queried(monitored: Project, servers: Servers) -> Servers:
    """The servers of a stack after some requests, scrapes and rule evaluations."""
    for _ in range(50):
        assert monitored.get().status_code == 200
    slo = slo_of(servers.settings, servers.settings.services["beacon"])
    # It is recorded from other recorded series, and therefore last.
    wait_until(
        "the error budget to be recorded",
        lambda: bool(servers.query(slo.budget_remaining("availability"))),
        seconds=300,
    )
    return servers


def has_data(servers: Servers, query: Query) -> bool:
    """Return True if the query has a result; raise CommandError if the server rejects it."""
    if query.source == "prometheus":
        found = servers.query(query.expr) if query.instant else ()
        return bool(found or servers.query_range(query.expr, SECONDS))
    since = time.time_ns() - SECONDS * 1_000_000_000
    return servers.has_logs(query.expr, since)


def test_each_query_is_valid_and_has_data(queried: Servers) -> None:
    settings = queried.settings
    service = MonitoredService.of(settings.services["beacon"], settings.namespace.name)
    dashboards = all_dashboards([service], settings.network.monitoring_namespace)
    problems = []
    for query in queries(dashboards):
        try:
            if not has_data(queried, query) and not MAY_BE_EMPTY.fullmatch(str(query)):
                problems.append(f"{query}: no data: {query.expr}")
        except CommandError as error:
            problems.append(f"{query}: {error}: {query.expr}")
    assert not problems, "\n".join(problems)
