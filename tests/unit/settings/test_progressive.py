"""Settings of progressive releases: steps, gates, and what they need."""

from typing import Any

import pytest

from settings import Progressive, Service, SettingsError
from settings.loader import validate
from tests.unit.stacks import BEACON, changed, sections, settings

BUNDLED = {"observability": {"mode": "bundled"}}
GATEWAY = {"routing": {"backend": "gateway"}}
ISTIO = {"observability": {"mode": "bundled", "proxy": {"implementation": "istio"}}}
VIRTUAL_SERVICE = {"routing": {"backend": "istio"}}
SIDECARS = {
    "observability": {"mode": "bundled", "proxy": {"implementation": "istio-sidecar"}},
    "mesh": {"istio": {}},
    **VIRTUAL_SERVICE,
    "metrics": None,
}
WORKER = {"ports": {}, "routing": None, "metrics": None}


def progressive(*changes: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """Changes of a stack whose service has the strategy, and these keys of its settings."""
    merged = changed(BUNDLED, {"release": {"strategy": "progressive", "progressive": keys}})
    for change in changes:
        merged = changed(merged, change)
    return merged


def service(*changes: dict[str, Any], **keys: Any) -> Service:
    return settings(**progressive(*changes, **keys)).services["beacon"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # steps
        (progressive(steps=[10, 10]), "steps is [10, 10]: use rising percentages, like [10, 25"),
        (progressive(steps=[50, 20]), "steps is [50, 20]: use rising percentages"),
        (progressive(steps=[10, 60], maxWeight=50), "steps is [10, 60]: use at most maxWeight, wh"),
        (progressive(steps=[0, 10]), "steps[0] is 0: use an integer from 1 to 100"),
        (progressive(steps=[101]), "steps[0] is 101: use an integer from 1 to 100"),
        (progressive(steps=[]), "steps is []: use a list; each item: an integer from"),
        (progressive(stepWeight=60), "stepWeight is 60: use at most maxWeight, which is 50"),
        (progressive(steps=[5], stepWeight=5), "stepWeight is 5: use null, or remove steps"),
        (progressive(threshold=0), "threshold is 0: use an integer from 1 to 1000"),
        (progressive(intervalSeconds=9), "intervalSeconds is 9: use an integer from 10 to 3600"),
        # iterations
        (
            progressive(iterations=3, steps=[10], load={}),
            "iterations is 3: use null, or remove steps, stepWeight, maxWeight, promotionSt",
        ),
        (
            progressive(iterations=3),
            "iterations is 3: use null, or add match, mirror or load: without requests no check",
        ),
        (progressive(match={"header": "X-Beta"}), "iterations is missing: use the number of check"),
        (progressive(match={}), "match.header is missing: use the name of a header, or add match"),
        (
            progressive(GATEWAY, ISTIO, iterations=3, mirror=True, match={"cookie": "beta"}),
            "mirror is true: use false, or remove match",
        ),
        # mirror
        (
            progressive(ISTIO, iterations=3, mirror=True),
            'mirror is true: use false, or the backend "gateway" or "istio": an Ingress',
        ),
        (
            progressive(GATEWAY, iterations=3, mirror=True),
            "mirror is true: use false: Traefik, the observability.proxy.implementation, cannot m",
        ),
        (
            progressive(ISTIO, VIRTUAL_SERVICE, {"metrics": None}, iterations=3, mirror=True),
            'mirror is true: use false, or slo.source "service", or observability.proxy.implement',
        ),
        # gates
        (
            progressive(gates={"queries": [{"name": "queue", "query": "sum(", "max": 1}]}),
            'gates.queries[0].query is "sum(": use a PromQL query, like sum(rate(jobs_total',
        ),
        (
            progressive(gates={"queries": [{"name": "queue", "query": "vector(1)"}]}),
            "gates.queries[0].max is missing: use a bound: min, max or both",
        ),
        (
            progressive(gates={"queries": [{"name": "a", "query": "x", "min": 2, "max": 1}]}),
            "gates.queries[0].min is 2.0: use at most max, which is 1",
        ),
        (
            progressive(gates={"queries": [{"name": "cpu", "query": "x", "max": 1}]}),
            'gates.queries[0].name is "cpu": use a name that does not begin with availability',
        ),
        (
            progressive(gates={"queries": [{"name": "a", "query": "x", "max": 1}] * 2}),
            'gates.queries[1].name is "a": use each name once',
        ),
        (progressive(gates={"memory": 101}), "gates.memory is 101: use an integer from 1 to 100"),
        (progressive(manual=["start"]), 'manual[0] is "start": use "rollout" or "promotion"'),
        (progressive(manual=["rollout", "rollout"]), "manual is "),
        (progressive({"metrics": None}, load={}), "load is {"),
        (progressive(ISTIO, VIRTUAL_SERVICE, {"metrics": None}, load={}), "load is {"),
    ],
)
def test_a_wrong_setting_is_refused_by_key(changes: dict[str, Any], message: str) -> None:
    prefix = "slipway:services.beacon.release.progressive."
    assert errors_of(changes)[0].startswith(f"{prefix}{message}"), errors_of(changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            progressive({"observability": {"mode": "off"}}),
            'services.beacon.release.strategy is "progressive": use "rolling", "canary" or '
            '"blueGreen", or observability.mode "bundled" or "operator"',
        ),
        (
            progressive({"slo": None}, minRequests=0),
            'services.beacon.release.strategy is "progressive": use "rolling", "canary" or '
            '"blueGreen", or add '
            "slo, metrics or release.progressive.gates",
        ),
        (
            progressive({"routing": None}),
            'services.beacon.release.strategy is "progressive": use "rolling", "canary" or '
            '"blueGreen", or add routing',
        ),
        (
            progressive(WORKER),
            'services.beacon.release.strategy is "progressive": use "rolling", or add ports',
        ),
        (
            progressive(changed(GATEWAY, {"routing": {"protocol": "grpc"}})),
            'services.beacon.routing.protocol is "grpc": use "h2c", or the backend "ingress"',
        ),
        (
            progressive({"autoscaling": {"enabled": False}}),
            "services.beacon.autoscaling.enabled is false: use true: Flagger scales a new version",
        ),
        (
            progressive(
                {"metrics": None, "observability": {"proxy": {"implementation": "envoy-gateway"}}}
            ),
            'services.beacon.slo.source is "proxy": use "service" or "queries": Envoy Gateway',
        ),
        (
            progressive({"release": {"idle": {"version": "1.1.0"}}}),
            'services.beacon.release.strategy is "progressive": use "blueGreen", or remove',
        ),
    ],
)
def test_a_service_that_cannot_be_released_progressively_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    assert errors_of(changes)[0].startswith(f"slipway:{message}"), errors_of(changes)


def test_a_name_has_room_for_what_flagger_adds_to_it() -> None:
    release = {"strategy": "progressive"}
    other = changed(BEACON, {"release": release, "routing": {"hosts": ["other.localhost"]}})
    assert settings(**BUNDLED, services={"x" * 42: other})
    assert errors_of({**BUNDLED, "services": {"x" * 43: other}}) == (
        f'slipway:services is "{"x" * 43}": use at most 42 characters with release.strategy '
        '"progressive"',
    )


def errors_of(changes: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as error:
        validate("Pulumi.test.yaml", sections(**changes))
    return error.value.errors


@pytest.mark.parametrize("requests", [{"mirror": True}, {"load": {}}])
def test_sidecars_count_requests_that_do_not_come_through_the_gateway(
    requests: dict[str, Any],
) -> None:
    assert service(SIDECARS, iterations=3, **requests).request_source == "proxy"


@pytest.mark.parametrize(
    ("keys", "weights", "highest"),
    [
        ({}, (10, 25, 50), 50),
        ({"steps": [1, 100]}, (1, 100), 100),
        ({"stepWeight": 20}, (20, 40, 50), 50),
        ({"stepWeight": 20, "maxWeight": 60}, (20, 40, 60), 60),
        ({"iterations": 3, "load": {}}, (), 100),
    ],
)
def test_the_weights_end_with_the_highest(
    keys: dict[str, Any], weights: tuple[int, ...], highest: int
) -> None:
    found: Progressive = service(**keys).release.progressive
    assert (found.weights, found.highest_weight) == (weights, highest)


def test_the_quota_is_for_the_pods_of_both_versions_and_for_flagger() -> None:
    scaling = {"autoscaling": {"minReplicas": 60, "maxReplicas": 60}}
    rolling = settings(**scaling).resource_quota.pods
    assert settings(**progressive(scaling)).resource_quota.pods == 2 * rolling + 2
    assert settings(**progressive(scaling, load={})).resource_quota.pods == 2 * rolling + 4
