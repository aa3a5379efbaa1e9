"""Ingresses with the canary annotations of ingress-nginx."""

from typing import Any

import pytest

from components.routing import TrafficSplit
from settings import CanaryOverride
from tests.unit.components.routing.splits import NGINX, routed, split


def canary_annotations(traffic: TrafficSplit) -> dict[str, str]:
    ingress = routed("ingress", traffic).one("Ingress", "beacon-weighted")
    return {
        key.removeprefix(NGINX): value
        for key, value in ingress["metadata"]["annotations"].items()
        if key.startswith(NGINX)
    }


def test_the_canary_ingress_has_the_host_and_paths_of_stable() -> None:
    registry = routed("ingress", split())
    rules = [
        registry.one("Ingress", name)["spec"]["rules"][0] for name in ("beacon", "beacon-weighted")
    ]
    assert rules[0]["host"] == rules[1]["host"] == "beacon.localhost"
    assert [path["path"] for path in rules[0]["http"]["paths"]] == [
        path["path"] for path in rules[1]["http"]["paths"]
    ]


def test_the_weight_and_the_override_are_annotations() -> None:
    override = CanaryOverride(header="X-Try", cookie="try")
    weight = {"canary": "true", "canary-weight": "10", "canary-weight-total": "100"}
    assert canary_annotations(split(override=override)) == {
        **weight,
        "canary-by-header": "X-Try",
        "canary-by-cookie": "try",
    }
    stopped = canary_annotations(split(0, is_running=False, override=override))
    assert stopped == {**weight, "canary-weight": "0"}


def test_the_canary_ingress_is_created_after_the_ingress_of_stable() -> None:
    registry = routed("ingress", split())
    canary = registry.urn_of("Ingress", "beacon-weighted")
    assert registry.urn_of("Ingress", "beacon") in registry.resources[canary].depends_on


def test_pulumi_awaits_an_address_for_stable_unless_the_settings_disable_it() -> None:
    skip = "pulumi.com/skipAwait"
    registry = routed("ingress", split())
    assert "annotations" not in registry.one("Ingress", "beacon")["metadata"]
    assert registry.one("Ingress", "beacon-weighted")["metadata"]["annotations"][skip] == "true"
    registry = routed("ingress", split(), ingress={"awaitAddress": False})
    assert registry.one("Ingress", "beacon")["metadata"]["annotations"] == {skip: "true"}


def test_the_ingress_class_comes_from_the_settings() -> None:
    registry = routed("ingress", split(), ingress={"className": "traefik"})
    for ingress in registry.of_kind("Ingress"):
        assert ingress.inputs["spec"]["ingressClassName"] == "traefik"


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        ({}, {}),
        ({"maxBodySize": "16Mi"}, {"proxy-body-size": "16777216"}),
        (
            {"requestTimeoutSeconds": 3600},
            {"proxy-read-timeout": "3600", "proxy-send-timeout": "3600"},
        ),
        ({"protocol": "grpc"}, {"backend-protocol": "GRPC"}),
        ({"protocol": "h2c"}, {"backend-protocol": "GRPC"}),
    ],
)
def test_protocol_and_limits_are_annotations_on_both_tracks(
    routing: dict[str, Any], expected: dict[str, str]
) -> None:
    for ingress in routed("ingress", split(), **routing).of_kind("Ingress"):
        annotations = ingress.inputs["metadata"].get("annotations", {})
        proxy = {
            key.removeprefix(NGINX): value
            for key, value in annotations.items()
            if key.startswith((f"{NGINX}proxy", f"{NGINX}backend"))
        }
        assert proxy == expected


def test_every_host_has_all_paths() -> None:
    traffic = split(hosts=("a.localhost", "b.localhost"), paths=("/", "/api"))
    for ingress in routed("ingress", traffic).of_kind("Ingress"):
        assert [
            (rule["host"], [path["path"] for path in rule["http"]["paths"]])
            for rule in ingress.inputs["spec"]["rules"]
        ] == [("a.localhost", ["/", "/api"]), ("b.localhost", ["/", "/api"])]
