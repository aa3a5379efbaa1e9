"""HTTPRoute of the Gateway API back end."""

from typing import Any

from settings import CanaryOverride
from tests.unit.components.routing.splits import routed, split


def route(
    *, override: CanaryOverride | None = None, is_running: bool = True, **routing: Any
) -> Any:
    traffic = split(10, override=override, is_running=is_running)
    return routed("gateway", traffic, **routing).one("HTTPRoute")["spec"]


def override_rules(spec: Any) -> list[tuple[str, str, str, str]]:
    return [
        (header["type"], header["name"], header["value"], rule["backendRefs"][0]["name"])
        for rule in spec["rules"]
        for match in rule["matches"]
        for header in match.get("headers", [])
    ]


def test_the_route_is_attached_to_the_gateway_of_the_settings() -> None:
    (parent,) = route()["parentRefs"]
    assert (parent["namespace"], parent["name"]) == ("gateway-system", "public")
    assert "sectionName" not in parent
    gateway = {"name": "edge", "namespace": "proxies", "sectionName": "web"}
    (parent,) = route(gateway=gateway)["parentRefs"]
    assert parent.items() >= {"name": "edge", "namespace": "proxies", "sectionName": "web"}.items()


def test_the_weights_apply_to_requests_for_the_host_without_an_override() -> None:
    spec = route(override=CanaryOverride(header=None))
    assert spec["hostnames"] == ["beacon.localhost"]
    (rule,) = spec["rules"]
    weights = [(ref["name"], ref["port"], ref["weight"]) for ref in rule["backendRefs"]]
    assert weights == [("beacon-stable", 8080, 90), ("beacon-canary", 8080, 10)]


def test_the_header_takes_precedence_over_the_cookie() -> None:
    assert override_rules(route(override=CanaryOverride(cookie="try"))) == [
        ("Exact", "X-Canary", "always", "beacon-canary"),
        ("Exact", "X-Canary", "never", "beacon-stable"),
        ("RegularExpression", "Cookie", r"(^|.*;\s*)try=always(;.*|$)", "beacon-canary"),
        ("RegularExpression", "Cookie", r"(^|.*;\s*)try=never(;.*|$)", "beacon-stable"),
    ]


def test_there_is_no_override_while_no_canary_is_running() -> None:
    assert override_rules(route(is_running=False)) == []


def test_the_route_has_all_hosts() -> None:
    registry = routed("gateway", split(hosts=("a.localhost", "b.localhost")))
    assert registry.one("HTTPRoute")["spec"]["hostnames"] == ["a.localhost", "b.localhost"]


def test_the_request_timeout_applies_to_every_rule() -> None:
    rules = route(requestTimeoutSeconds=300)["rules"]
    assert len(rules) > 1
    assert [rule["timeouts"] for rule in rules] == [{"request": "300s"}] * len(rules)


def test_grpc_has_a_grpc_route_with_the_weights_and_the_override_by_header() -> None:
    registry = routed("gateway", split(10), protocol="grpc")
    assert registry.of_kind("HTTPRoute") == []
    always, never, weighted = registry.one("GRPCRoute")["spec"]["rules"]
    header = {"type": "Exact", "name": "X-Canary"}
    assert always["matches"] == [{"headers": [{**header, "value": "always"}]}]
    assert never["matches"] == [{"headers": [{**header, "value": "never"}]}]
    assert "matches" not in weighted
    assert [ref["weight"] for ref in weighted["backendRefs"]] == [90, 10]
