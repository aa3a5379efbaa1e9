"""The promotion gate, with Prometheus' responses given by the tests."""

from typing import Any

import pytest

from commands import promotion_gate
from commands.errors import CommandError
from components.observability.addresses import PROMETHEUS
from components.observability.rules.canary_gate import CanaryHealth
from settings import Service
from tests.unit.commands.fake_kubectl import Cluster, vector
from tests.unit.stacks import CANARY, service, settings

QUERY = "/api/v1/query"
VERSION = "version%3D%221.1.0%22"


def candidate(**changes: Any) -> Service:
    return service(release=CANARY, **changes)


def check(
    cluster: Cluster, state: float | None, *regressions: tuple[str, float], requests: float = 0
) -> None:
    responses = {
        f"canary_gate%3Astate%7B{SELECTOR}{VERSION}": [] if state is None else [({}, state)],
        f"canary_gate%3Aregression%7B{SELECTOR}{VERSION}": [
            ({"sli": sli}, ratio) for sli, ratio in regressions
        ],
        f"canary_requests%3Arate5m%7B{SELECTOR}{VERSION}": [({}, requests)],
    }
    for query, series in responses.items():
        cluster.respond(PROMETHEUS, QUERY, vector(*series), containing=query)
    client = cluster.client()
    promotion_gate.check(client.settings, candidate(), client.environment)


SELECTOR = "namespace%3D%22beacon-test%22%2Cservice%3D%22beacon%22%2C"


def test_a_version_that_meets_the_objective_passes(cluster: Cluster, capsys) -> None:
    check(cluster, CanaryHealth.HEALTHY, requests=250)
    assert "beacon 1.1.0 meets the objective in 250 requests" in capsys.readouterr().out


def test_a_version_that_misses_the_objective_is_refused_with_its_error_ratios(
    cluster: Cluster,
) -> None:
    with pytest.raises(CommandError, match=r"12\.3% by availability.*FORCE=1") as error:
        check(cluster, CanaryHealth.UNHEALTHY, ("availability", 0.123))
    assert error.value.exit_code == 1


@pytest.mark.parametrize("state", [CanaryHealth.NOT_MEASURED, None])
def test_a_version_that_is_not_measured_is_refused_with_its_requests(
    cluster: Cluster, state: float | None
) -> None:
    with pytest.raises(
        CommandError, match=r"1\.1\.0 is not measured: 12 requests.*FORCE=1"
    ) as error:
        check(cluster, state, requests=12)
    assert "proxy" not in str(error.value)


def test_behind_a_proxy_it_is_said_when_the_requests_are_the_versions_own(cluster: Cluster) -> None:
    cluster.respond(PROMETHEUS, QUERY, vector())
    client = cluster.client()
    with pytest.raises(CommandError, match=r"0 requests.*from 5 minutes after the last pod of"):
        promotion_gate.check(client.settings, candidate(metrics=None), client.environment)


def test_without_prometheus_the_user_has_to_decide(cluster: Cluster) -> None:
    client = cluster.client()
    with pytest.raises(CommandError, match=r"cannot query Prometheus.*FORCE=1"):
        promotion_gate.check(client.settings, candidate(), client.environment)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "observability.mode is off"),
        ({"observability": {"mode": "operator"}}, "observability.mode is operator"),
        ({"observability": {"mode": "bundled"}, "slo": None}, "slo is null"),
    ],
)
def test_a_service_without_a_gate_is_promoted_with_a_line_that_says_so(
    changes: dict[str, Any], reason: str, capsys
) -> None:
    promotion_gate.check(settings(**changes), candidate(**changes), {})
    assert capsys.readouterr().out == f"no promotion gate for beacon 1.1.0: {reason}\n"
