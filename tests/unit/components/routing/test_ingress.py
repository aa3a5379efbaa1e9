"""Ingresses with ingress-nginx's canary annotations."""

from typing import Any

from settings import CanaryTesters
from tests.unit.components.routing.splits import NGINX, routed, split


def test_the_canary_has_an_ingress_with_the_host_and_paths_of_stable() -> None:
    registry = routed("ingress", split())
    rules = [
        registry.one("Ingress", name)["spec"]["rules"][0] for name in ("beacon", "beacon-canary")
    ]
    assert rules[0]["host"] == rules[1]["host"] == "beacon.localhost"
    assert [path["path"] for path in rules[0]["http"]["paths"]] == [
        path["path"] for path in rules[1]["http"]["paths"]
    ]


def test_the_weight_is_an_annotation_of_a_hundred() -> None:
    annotations = routed("ingress", split(10)).one("Ingress", "beacon-canary")["metadata"][
        "annotations"
    ]
    assert annotations[f"{NGINX}canary"] == "true"
    assert annotations[f"{NGINX}canary-weight"] == "10"
    assert annotations[f"{NGINX}canary-weight-total"] == "100"


def test_testers_choose_by_header_and_by_cookie() -> None:
    traffic = split(testers=CanaryTesters(header="X-Try", cookie="try"))
    annotations = routed("ingress", traffic).one("Ingress", "beacon-canary")["metadata"][
        "annotations"
    ]
    assert annotations[f"{NGINX}canary-by-header"] == "X-Try"
    assert annotations[f"{NGINX}canary-by-cookie"] == "try"


def test_no_tester_is_sent_where_nothing_runs() -> None:
    ingress = routed("ingress", split(0, is_running=False)).one("Ingress", "beacon-canary")
    assert not [key for key in ingress["metadata"]["annotations"] if "canary-by" in key]


def test_the_canarys_ingress_follows_stables() -> None:
    registry = routed("ingress", split())
    canary = registry.urn_of("Ingress", "beacon-canary")
    assert registry.urn_of("Ingress", "beacon") in registry.resources[canary].depends_on


def test_an_address_is_waited_for_once_and_only_where_one_is_published() -> None:
    skip = "pulumi.com/skipAwait"
    waits = routed("ingress", split())
    assert "annotations" not in waits.one("Ingress", "beacon")["metadata"]
    assert waits.one("Ingress", "beacon-canary")["metadata"]["annotations"][skip] == "true"
    unpublished = routed("ingress", split(), ingress={"awaitAddress": False})
    assert unpublished.one("Ingress", "beacon")["metadata"]["annotations"] == {skip: "true"}


def test_the_class_is_what_the_settings_say() -> None:
    registry = routed("ingress", split(), ingress={"className": "traefik"})
    for ingress in registry.of_kind("Ingress"):
        assert ingress.inputs["spec"]["ingressClassName"] == "traefik"


def bounds(config: dict[str, Any]) -> list[dict[str, str]]:
    """What the proxy is told beside the canary's share, by Ingress."""
    registry = routed("ingress", split(), config)
    return [
        {
            key.removeprefix(NGINX): value
            for key, value in ingress.inputs["metadata"].get("annotations", {}).items()
            if key.startswith(f"{NGINX}proxy-")
        }
        for ingress in registry.of_kind("Ingress")
    ]


def test_the_proxy_lets_through_what_the_service_allows_on_either_track() -> None:
    allowed = {
        "limits": {"bodyBytes": 16_777_216},
        "timeouts": {"read": "61s", "write": "1m30.5s"},
    }
    told = {
        "proxy-body-size": "16777216",
        "proxy-read-timeout": "91",
        "proxy-send-timeout": "61",
    }
    assert bounds(allowed) == [told, told]


def test_the_proxy_keeps_its_own_bounds_where_the_service_allows_no_more() -> None:
    allowed = {
        "limits": {"bodyBytes": 1_048_576},
        "timeouts": {"read": "60s", "write": "1m"},
    }
    assert bounds(allowed) == [{}, {}]
