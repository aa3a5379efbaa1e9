"""Every query of every dashboard, asked of the running servers."""

import time

import pytest

from commands.errors import CommandError
from commands.observability_client import scope_of
from components.observability.dashboards.selection import Query, dashboards, queries
from tests.cluster.observability.servers import Servers
from tests.cluster.project import Project, wait_until

pytestmark = pytest.mark.timeout(1200)

SECONDS = 600
"""How far back is asked."""


@pytest.fixture(scope="module")
def asked(monitored: Project, servers: Servers) -> Servers:
    """The servers of a stack that has answered requests, after the first rules and scrapes."""
    for _ in range(50):
        assert monitored.get().status_code == 200
    slo = scope_of(servers.settings).slo
    # What is recorded from other recorded series comes last.
    wait_until(
        "the error budget to be recorded",
        lambda: bool(servers.query(slo.budget_remaining("availability"))),
        seconds=300,
    )
    return servers


def answers(servers: Servers, query: Query) -> bool:
    """Whether there is one; raises CommandError where the server refuses the query."""
    if query.source == "prometheus":
        found = servers.query(query.expr) if query.instant else ()
        return bool(found or servers.query_range(query.expr, SECONDS))
    since = time.time_ns() - SECONDS * 1_000_000_000
    return servers.has_logs(query.expr, since)


def test_every_query_is_answered(asked: Servers) -> None:
    problems = []
    for query in queries(dashboards(scope_of(asked.settings))):
        where = f"{query.dashboard}: {query.title}: {query.expr}"
        try:
            if not answers(asked, query):
                # Where nothing may be there, the query says why.
                problems += [] if query.empty else [f"{where}\n  no answer"]
        except CommandError as error:
            problems.append(f"{where}\n  {error}")
    assert not problems, "\n".join(problems)
