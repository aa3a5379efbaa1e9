"""Every query of every dashboard, asked of the running servers."""

import time
from collections.abc import Iterator

import pytest

from commands.errors import CommandError
from commands.monitoring import Monitoring
from components.observability.dashboards.selection import Query, dashboards, queries
from components.observability.slo import Slo
from settings import load
from tests.cluster.project import Project, wait_until

pytestmark = pytest.mark.timeout(1200)

SECONDS = 600
"""How far back is asked."""


@pytest.fixture(scope="module")
def monitoring(monitored: Project) -> Iterator[Monitoring]:
    """The servers of a stack that has answered requests, after the first rules and scrapes."""
    for _ in range(50):
        assert monitored.get().status_code == 200
    with Monitoring(load(str(monitored.file)), monitored.environment) as monitoring:
        slo = Slo(monitored.get().json()["service"], monitored.stack, monitoring.settings.slo)
        # What is recorded from other recorded series comes last.
        wait_until(
            "the error budget to be recorded",
            lambda: bool(monitoring.now(slo.budget_remaining("availability"))),
            seconds=300,
        )
        yield monitoring


def answers(monitoring: Monitoring, query: Query) -> bool:
    """Whether there is one; raises CommandError where the server refuses the query."""
    if query.source == "prometheus":
        found = monitoring.now(query.expr) if query.instant else ()
        return bool(found or monitoring.over(query.expr, SECONDS))
    since = time.time_ns() - SECONDS * 1_000_000_000
    return monitoring.has_logs(query.expr, since)


def test_every_query_is_answered(monitoring: Monitoring) -> None:
    settings = monitoring.settings
    every = queries(
        dashboards(
            settings.service.name,
            settings.namespace.name,
            settings.network.monitoring_namespace,
            settings.slo,
        )
    )
    problems = []
    for query in every:
        where = f"{query.dashboard}: {query.title}: {query.expr}"
        try:
            if not answers(monitoring, query):
                # Where nothing may be there, the query says why.
                problems += [] if query.empty else [f"{where}\n  no answer"]
        except CommandError as error:
            problems.append(f"{where}\n  {error}")
    assert not problems, "\n".join(problems)
