"""PeerAuthentication and AuthorizationPolicies of a stack in Istio's mesh."""

from typing import Any

import pytest

from components.platform.istio_policies import IstioPolicies
from settings import Settings
from tests.unit.harness import Registry, run
from tests.unit.stacks import BEACON, changed, settings

ISTIO = {"backend": "istio"}
ORDERS = changed(
    BEACON,
    {
        "ports": {"http": 8080, "grpc": 8081},
        "routing": {"hosts": ["orders.localhost"], **ISTIO},
    },
)


def stack(istio: dict[str, Any] | None = None, **changes: Any) -> Settings:
    base = {
        "mesh": {"istio": istio or {}},
        "routing": ISTIO,
        "services": {"orders": ORDERS},
        "network": {"proxyNamespace": "istio-ingress"},
    }
    return settings(**changed(base, changes))


def policies(found: Settings) -> Registry:
    return run(
        lambda: IstioPolicies.of(
            "mesh",
            {
                "istio": found.mesh.istio,
                "namespace": "home",
                "network": found.network,
                "services": found.services,
            },
        )
    )


def rules(registry: Registry, name: str) -> list[tuple[dict[str, Any], list[str]]]:
    """Source and ports of each rule of the AuthorizationPolicy ``name``."""
    spec = registry.one("AuthorizationPolicy", name)["spec"]
    assert spec["action"] == "ALLOW"
    return [
        (source["source"], target["operation"]["ports"])
        for rule in spec.get("rules", ())
        for source in rule["from"]
        for target in rule["to"]
    ]


def accounts(service: str) -> dict[str, list[str]]:
    tracks = ("stable", "canary", "blue", "green", "progressive", "before-start")
    return {"principals": [f"cluster.local/ns/home/sa/{service}-{track}" for track in tracks]}


PROXY_NAMESPACE = {"namespaces": ["istio-ingress"]}


def test_a_stack_without_a_mesh_has_no_policies() -> None:
    assert policies(settings()).resources == {}


def test_strict_refuses_connections_without_mutual_tls_in_the_namespace() -> None:
    spec = policies(stack()).one("PeerAuthentication", "default")["spec"]
    assert spec == {"mtls": {"mode": "STRICT"}}


def test_permissive_accepts_all_callers() -> None:
    registry = policies(stack({"mutualTls": "permissive"}))
    assert registry.one("PeerAuthentication")["spec"] == {"mtls": {"mode": "PERMISSIVE"}}
    assert registry.of_kind("AuthorizationPolicy") == []


def test_the_proxy_is_accepted_on_the_routed_ports_only() -> None:
    registry = policies(stack())
    assert rules(registry, "beacon") == [(PROXY_NAMESPACE, ["8080"])]
    assert rules(registry, "orders") == [(PROXY_NAMESPACE, ["8080"])]
    spec = registry.one("AuthorizationPolicy", "orders")["spec"]
    assert spec["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "orders",
        "app.kubernetes.io/instance": "home",
    }


def test_the_peers_of_both_directions_are_accepted() -> None:
    to = {"to": [{"service": "orders", "ports": ["grpc"]}, {"host": "example.com", "ports": [443]}]}
    from_ = {
        "from": [
            {"service": "beacon", "ports": ["http"]},
            {"namespace": "batch", "podLabels": {"app": "importer"}},
            {"cidr": "10.1.0.0/16", "ports": ["http"]},
        ]
    }
    services = {"orders": changed(ORDERS, {"peers": from_})}
    assert rules(policies(stack(services=services, peers=to)), "orders") == [
        (PROXY_NAMESPACE, ["8080"]),
        (accounts("beacon"), ["8080"]),
        ({"namespaces": ["batch"]}, ["8080", "8081"]),
        ({"ipBlocks": ["10.1.0.0/16"]}, ["8080"]),
        (accounts("beacon"), ["8081"]),
    ]


def test_a_service_without_callers_accepts_no_connection() -> None:
    worker = {"release": {"stable": {"version": "1.0.0"}}, "source": "app", "ports": {}}
    registry = policies(stack(services={"worker": worker}))
    assert "rules" not in registry.one("AuthorizationPolicy", "worker")["spec"]


@pytest.mark.parametrize("name", ["beacon", "beacon-primary"])
def test_both_versions_of_a_progressive_release_accept_the_load_tester(name: str) -> None:
    release = {"strategy": "progressive", "progressive": {"load": {}}}
    registry = policies(stack(release=release, observability={"mode": "bundled"}))
    tester = {"principals": ["cluster.local/ns/home/sa/flagger-loadtester"]}
    assert (tester, ["8080"]) in rules(registry, name)
    # Flagger, which has no sidecar, sends requests to it.
    spec = registry.one("PeerAuthentication", "flagger-loadtester")["spec"]
    assert spec["mtls"] == {"mode": "PERMISSIVE"}
    assert spec["selector"]["matchLabels"]["app.kubernetes.io/name"] == "flagger-loadtester"


def test_callers_have_the_trust_domain_of_the_mesh() -> None:
    found = stack({"trustDomain": "example.org"}, peers={"from": [{"service": "orders"}]})
    (_, (source, _)) = rules(policies(found), "beacon")
    assert source["principals"][0] == "example.org/ns/home/sa/orders-stable"
