"""The queries of the dashboards against running servers."""

import time

import pytest

from commands.errors import CommandError
from commands.observability_client import scope_of
from components.observability.dashboards.selection import Query, dashboards, queries
from tests.cluster.observability.servers import Servers
from tests.cluster.project import Project, wait_until

pytestmark = pytest.mark.timeout(1200)

SECONDS = 600
"""Time range of the queries."""


@pytest.fixture(scope="module")
def queried(monitored: Project, servers: Servers) -> Servers:
    """The servers after requests, scrapes and rule evaluations."""
    for _ in range(50):
        assert monitored.get().status_code == 200
    slo = scope_of(servers.settings).slo
    # The rule that is evaluated last: it depends on other recording rules.
    wait_until(
        "the recording rule of the error budget",
        lambda: bool(servers.query(slo.budget_remaining("availability"))),
        seconds=300,
    )
    return servers


def has_data(servers: Servers, query: Query) -> bool:
    """Return whether the query has a result. Raises CommandError if the server rejects it."""
    if query.source == "prometheus":
        found = servers.query(query.expr) if query.instant else ()
        return bool(found or servers.query_range(query.expr, SECONDS))
    since = time.time_ns() - SECONDS * 1_000_000_000
    return servers.has_logs(query.expr, since)


def test_each_query_is_valid_and_has_data(queried: Servers) -> None:
    problems = []
    for query in queries(dashboards(scope_of(queried.settings))):
        where = f"{query.dashboard}: {query.title}: {query.expr}"
        try:
            if not has_data(queried, query) and not query.empty:
                problems.append(f"{where}\n  no data")
        except CommandError as error:
            problems.append(f"{where}\n  {error}")
    assert not problems, "\n".join(problems)
