"""`make promote` asks the objective first."""

import pytest

from commands.errors import CommandError
from commands.gate import verdict
from components.observability.addresses import PROMETHEUS
from components.observability.slo import CanaryHealth
from tests.unit.commands.cluster import Cluster, vector
from tests.unit.stacks import settings

QUERY = "/api/v1/query"


def asked(cluster: Cluster, state: float | None, *worse: tuple[str, float]) -> str | None:
    series = [] if state is None else [({}, state)]
    cluster.answer(PROMETHEUS, QUERY, vector(*series), asked="canary_gate%3Astate")
    shares = vector(*(({"sli": sli}, share) for sli, share in worse))
    cluster.answer(PROMETHEUS, QUERY, shares, asked="canary_gate%3Aregression")
    monitoring = cluster.monitoring()
    return verdict(monitoring.settings, monitoring.environment)


def test_a_canary_that_keeps_the_objective_is_let_through(cluster: Cluster) -> None:
    assert asked(cluster, CanaryHealth.HEALTHY) == "gate: the canary keeps the objective"


def test_a_canary_that_misses_it_is_refused_with_its_shares(cluster: Cluster) -> None:
    with pytest.raises(CommandError, match=r"12\.3% by availability.*FORCE=1") as refused:
        asked(cluster, CanaryHealth.UNHEALTHY, ("availability", 0.123))
    assert refused.value.exit_code == 1


@pytest.mark.parametrize("state", [CanaryHealth.NOT_ENOUGH_DATA, None])
def test_a_canary_that_few_requests_reached_is_not_judged(
    cluster: Cluster, state: float | None
) -> None:
    assert "too few requests" in (asked(cluster, state) or "")


def test_servers_that_do_not_answer_leave_the_decision_to_a_person(cluster: Cluster) -> None:
    monitoring = cluster.monitoring()
    with pytest.raises(CommandError, match=r"cannot be asked.*FORCE=1"):
        verdict(monitoring.settings, monitoring.environment)


@pytest.mark.parametrize(
    "changes", [{}, {"observability": {"mode": "bundled"}, "service": {"metrics": False}}]
)
def test_a_stack_that_measures_nothing_has_no_gate(changes: dict[str, object]) -> None:
    assert verdict(settings(**changes), {}) is None
