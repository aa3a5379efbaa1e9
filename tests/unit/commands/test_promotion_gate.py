"""The promotion gate, with Prometheus' responses given by the tests."""

import pytest

from commands import promotion_gate
from commands.errors import CommandError
from components.observability.addresses import PROMETHEUS
from components.observability.slo import CanaryHealth
from tests.unit.commands.fake_kubectl import Cluster, vector
from tests.unit.stacks import service, settings

QUERY = "/api/v1/query"


def check(cluster: Cluster, state: float | None, *regressions: tuple[str, float]) -> None:
    series = [] if state is None else [({}, state)]
    cluster.respond(PROMETHEUS, QUERY, vector(*series), containing="canary_gate%3Astate")
    ratios = vector(*(({"sli": sli}, ratio) for sli, ratio in regressions))
    cluster.respond(PROMETHEUS, QUERY, ratios, containing="canary_gate%3Aregression")
    client = cluster.client()
    promotion_gate.check(client.settings, service(), client.environment)


def test_a_canary_that_meets_the_objective_passes(cluster: Cluster, capsys) -> None:
    check(cluster, CanaryHealth.HEALTHY)
    assert "the canary meets the objective" in capsys.readouterr().out


def test_a_canary_that_misses_the_objective_is_refused_with_its_error_ratios(
    cluster: Cluster,
) -> None:
    with pytest.raises(CommandError, match=r"12\.3% by availability.*FORCE=1") as error:
        check(cluster, CanaryHealth.UNHEALTHY, ("availability", 0.123))
    assert error.value.exit_code == 1


@pytest.mark.parametrize("state", [CanaryHealth.NOT_ENOUGH_DATA, None])
def test_a_canary_with_too_few_requests_passes(
    cluster: Cluster, state: float | None, capsys
) -> None:
    check(cluster, state)
    assert "too few requests" in capsys.readouterr().out


def test_without_prometheus_the_user_has_to_decide(cluster: Cluster) -> None:
    client = cluster.client()
    with pytest.raises(CommandError, match=r"cannot query Prometheus.*FORCE=1"):
        promotion_gate.check(client.settings, service(), client.environment)


@pytest.mark.parametrize("changes", [{}, {"observability": {"mode": "bundled"}, "metrics": None}])
def test_a_stack_without_metrics_has_no_gate(changes: dict[str, object], capsys) -> None:
    promotion_gate.check(settings(**changes), service(**changes), {})
    assert capsys.readouterr().out == ""
