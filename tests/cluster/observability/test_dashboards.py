"""The queries of the dashboards against running servers."""

import re
import time

import pytest

from commands.errors import CommandError
from components.observability.dashboards import all_dashboards
from tests.cluster.observability.servers import Servers
from tests.cluster.project import Project, wait_until
from tests.unit.components.observability.dashboards.queries import Query, queries
from tests.unit.components.observability.servers import args_of

pytestmark = pytest.mark.timeout(1200)

SECONDS = 600
"""Time range of the queries."""
MAY_BE_EMPTY = re.compile(
    r"""
    .*:\ Releases                           # no new version in the time range
    | service:\ (.*,\ (stable|canary)|.*\ by\ route)    # no canary, or no requests
    | service-beacon:\ .*                   # no panics and no faults
    | objective:\ (?!Objective,).*          # likewise
    | overview:\ (Requests.*|Errors.*|p95.*|p99|Error\ budget\ .*|Firing\ alerts|Error\ lines)
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
    budget = f'slo:error_budget_remaining:ratio{{namespace="{monitored.stack}"}}'
    # It is recorded from other recorded series, and therefore last.
    wait_until(
        "the error budget to be recorded",
        lambda: bool(servers.query(budget)),
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
    problems = []
    for query in queries(all_dashboards(args_of(queried.settings))):
        try:
            if not has_data(queried, query) and not MAY_BE_EMPTY.fullmatch(str(query)):
                problems.append(f"{query}: no data: {query.expr}")
        except CommandError as error:
            problems.append(f"{query}: {error}: {query.expr}")
    assert not problems, "\n".join(problems)
