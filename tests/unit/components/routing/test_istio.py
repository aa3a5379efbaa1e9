"""VirtualService and DestinationRules of the Istio back end."""

from typing import Any

import pytest

from components.routing import DestinationRules
from settings import CanaryOverride, OutlierDetection
from tests.unit.components.routing.splits import routed, split
from tests.unit.harness import run


def virtual_service(
    *,
    override: CanaryOverride | None = None,
    is_running: bool = True,
    paths: tuple[str, ...] = ("/",),
    **routing: Any,
) -> Any:
    traffic = split(10, override=override, is_running=is_running, paths=paths)
    return routed("istio", traffic, **routing).one("VirtualService")["spec"]


def overrides(spec: Any) -> list[tuple[dict[str, Any], str]]:
    return [
        (match["headers"], rule["route"][0]["destination"]["host"])
        for rule in spec["http"]
        for match in rule["match"]
        if "headers" in match
    ]


def test_the_virtual_service_is_attached_to_the_gateway_of_the_settings() -> None:
    assert virtual_service()["gateways"] == ["istio-ingress/public"]
    gateway = {"name": "edge", "namespace": "proxies"}
    assert virtual_service(istio={"gateway": gateway})["gateways"] == ["proxies/edge"]


def test_the_weights_apply_to_requests_for_the_hosts_without_an_override() -> None:
    spec = virtual_service(override=CanaryOverride(header=None))
    assert spec["hosts"] == ["beacon.localhost"]
    (rule,) = spec["http"]
    assert rule["route"] == [
        {"destination": {"host": f"beacon-{track}", "port": {"number": 8080}}, "weight": weight}
        for track, weight in (("stable", 90), ("canary", 10))
    ]


def test_the_header_takes_precedence_over_the_cookie() -> None:
    assert overrides(virtual_service(override=CanaryOverride(cookie="try"))) == [
        ({"x-canary": {"exact": "always"}}, "beacon-canary"),
        ({"x-canary": {"exact": "never"}}, "beacon-stable"),
        ({"cookie": {"regex": r"(^|.*;\s*)try=always(;.*|$)"}}, "beacon-canary"),
        ({"cookie": {"regex": r"(^|.*;\s*)try=never(;.*|$)"}}, "beacon-stable"),
    ]


def test_there_is_no_override_while_no_canary_is_running() -> None:
    assert overrides(virtual_service(is_running=False)) == []


def test_a_path_matches_whole_segments_as_with_the_other_back_ends() -> None:
    spec = virtual_service(override=CanaryOverride(header=None), paths=("/api", "/web/"))
    assert [match["uri"] for match in spec["http"][0]["match"]] == [
        {"exact": "/api"},
        {"prefix": "/api/"},
        {"exact": "/web"},
        {"prefix": "/web/"},
    ]


def test_the_timeout_and_the_retries_apply_to_every_rule() -> None:
    retries = {"attempts": 3, "perTryTimeoutSeconds": 2, "retryOn": ["connect-failure", "reset"]}
    rules = virtual_service(requestTimeoutSeconds=300, istio={"retries": retries})["http"]
    assert len(rules) > 1
    for rule in rules:
        assert rule["timeout"] == "300s"
        assert rule["retries"] == {
            "attempts": 3,
            "perTryTimeout": "2s",
            "retryOn": "connect-failure,reset",
        }


def test_by_default_only_requests_that_the_service_did_not_get_are_sent_again() -> None:
    (*_, rule) = virtual_service()["http"]
    assert rule["retries"] == {
        "attempts": 2,
        "retryOn": "connect-failure,refused-stream,reset-before-request",
    }
    assert "timeout" not in rule


def test_retries_can_be_disabled() -> None:
    # Without the field, Istio sends requests again that a service has answered with an error.
    (*_, rule) = virtual_service(istio={"retries": {"attempts": 0}})["http"]
    assert rule["retries"] == {"attempts": 0}


@pytest.mark.parametrize("host", ["beacon-stable", "beacon-canary"])
def test_each_service_has_a_destination_rule_that_never_ejects_its_only_pod(host: str) -> None:
    registry = run(
        lambda: DestinationRules(
            "beacon-destinations",
            {
                "service": "beacon",
                "namespace": "home",
                "hosts": ["beacon-stable", "beacon-canary"],
                "outlier_detection": OutlierDetection(),
            },
        )
    )
    spec = registry.one("DestinationRule", host)["spec"]
    assert spec["host"] == host
    detection = spec["trafficPolicy"]["outlierDetection"]
    # Errors of the service itself are the business of its gates.
    assert (detection["consecutiveGatewayErrors"], detection["consecutive5xxErrors"]) == (5, 0)
    assert detection["minHealthPercent"] == 50
    assert "tls" not in spec["trafficPolicy"]
