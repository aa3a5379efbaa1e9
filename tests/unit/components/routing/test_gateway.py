"""One HTTPRoute with weights."""

from typing import Any

from settings import CanaryTesters
from tests.unit.components.routing.splits import routed, split


def route(*, testers: CanaryTesters | None = None, is_running: bool = True, **routing: Any) -> Any:
    traffic = split(10, testers=testers, is_running=is_running)
    return routed("gateway", traffic, **routing).one("HTTPRoute")["spec"]


def rules_for_testers(spec: Any) -> list[tuple[str, str, str]]:
    return [
        (header["name"], header["value"], rule["backendRefs"][0]["name"])
        for rule in spec["rules"]
        for match in rule["matches"]
        for header in match.get("headers", [])
    ]


def test_the_route_is_attached_to_the_gateway_of_the_settings() -> None:
    (parent,) = route()["parentRefs"]
    assert (parent["namespace"], parent["name"]) == ("gateway-system", "public")
    assert "sectionName" not in parent
    other = {"name": "edge", "namespace": "proxies", "listener": "web"}
    (parent,) = route(gateway=other)["parentRefs"]
    assert (parent["namespace"], parent["name"], parent["sectionName"]) == (
        "proxies",
        "edge",
        "web",
    )


def test_requests_for_the_host_are_shared_by_weight() -> None:
    spec = route(testers=CanaryTesters(header=None))
    assert spec["hostnames"] == ["beacon.localhost"]
    (rule,) = spec["rules"]
    assert [(one["name"], one["weight"]) for one in rule["backendRefs"]] == [
        ("beacon-stable", 90),
        ("beacon-canary", 10),
    ]


def test_testers_choose_by_header() -> None:
    assert rules_for_testers(route()) == [
        ("X-Canary", "always", "beacon-canary"),
        ("X-Canary", "never", "beacon-stable"),
    ]


def test_the_header_comes_before_the_cookie() -> None:
    rules = rules_for_testers(route(testers=CanaryTesters(cookie="try")))
    assert [name for name, _, _ in rules] == ["X-Canary", "X-Canary", "Cookie", "Cookie"]


def test_no_tester_is_sent_where_nothing_runs() -> None:
    assert rules_for_testers(route(is_running=False)) == []
