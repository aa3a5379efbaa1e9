"""TLS of a service with both back ends."""

from typing import Any

import pytest

from components.routing import ServiceTls
from tests.unit.components.routing.splits import NGINX, routed, split
from tests.unit.harness import Registry, run
from tests.unit.stacks import BLUE_GREEN, changed, service

GATEWAY = {"backend": "gateway", "gateway": {"sectionName": "web", "tlsPort": 8443}}


def tls(routing: dict[str, Any] | None = None, **changes: Any) -> Registry:
    found = service(routing=changed({"tls": {"mode": "selfSigned"}}, routing or {}), **changes)
    return run(lambda: ServiceTls("beacon-tls", {"service": found, "namespace": "home"}))


def with_tls(**keys: Any) -> dict[str, Any]:
    return {"tls": {"mode": "selfSigned", **keys}}


def test_one_certificate_has_all_hosts_of_the_service() -> None:
    registry = tls(
        {
            "hosts": ["a.example.com", "b.example.com"],
            "additionalPorts": {"admin": {"hosts": ["admin.example.com"]}},
        },
        ports={"http": 8080, "admin": 9090},
        release=changed(BLUE_GREEN, {"blueGreen": {"previewHost": "next.example.com"}}),
    )
    spec = registry.one("Certificate")["spec"]
    assert spec["dnsNames"] == [
        *("a.example.com", "b.example.com", "admin.example.com", "next.example.com")
    ]
    assert spec["commonName"] == "a.example.com"
    assert spec["issuerRef"]["name"] == "slipway-ca"
    assert (spec["duration"], spec["renewBefore"]) == ("2160h0m0s", "720h0m0s")


def test_a_cluster_issuer_issues_the_certificate() -> None:
    existing = {"mode": "existing", "existing": {"clusterIssuer": "corporate"}}
    spec = tls({"tls": existing}).one("Certificate")["spec"]
    assert spec["issuerRef"] == {
        "group": "cert-manager.io",
        "kind": "ClusterIssuer",
        "name": "corporate",
    }


def test_an_existing_secret_is_served_and_not_changed() -> None:
    existing = {"mode": "existing", "existing": {"secretName": "shop-tls"}}
    registry = tls({**GATEWAY, "tls": existing})
    assert registry.of_kind("Certificate") == []
    (listener,) = registry.one("ListenerSet")["spec"]["listeners"]
    assert listener["tls"]["certificateRefs"][0]["name"] == "shop-tls"


def test_a_host_that_is_too_long_is_no_common_name() -> None:
    assert (
        "commonName" not in tls({"hosts": [f"{'a' * 60}.example.com"]}).one("Certificate")["spec"]
    )


def test_an_update_ends_when_the_certificate_is_issued_or_after_five_minutes() -> None:
    registry = tls()
    certificate = registry.resources[registry.urn_of("Certificate", "beacon-tls")]
    annotations = certificate.inputs["metadata"]["annotations"]
    assert annotations == {"pulumi.com/waitFor": "condition=Ready"}
    assert certificate.custom_timeouts == ("5m", "5m")


def test_an_ingress_is_served_with_the_certificate_and_redirects() -> None:
    registry = routed("ingress", split(), tls_secret="beacon-tls", **with_tls())
    ingress = registry.one("Ingress", "beacon")
    assert ingress["spec"]["tls"] == [{"hosts": ["beacon.localhost"], "secretName": "beacon-tls"}]
    assert ingress["metadata"]["annotations"][f"{NGINX}ssl-redirect"] == "true"
    assert "tls" not in registry.one("Ingress", "beacon-weighted")["spec"]
    registry = routed("ingress", split(), tls_secret="beacon-tls", **with_tls(redirect=False))
    annotations = registry.one("Ingress", "beacon")["metadata"]["annotations"]
    assert annotations[f"{NGINX}ssl-redirect"] == "false"


def test_an_ingress_without_tls_has_no_certificate_and_no_redirect() -> None:
    ingress = routed("ingress", split()).one("Ingress", "beacon")
    assert "tls" not in ingress["spec"]
    assert "annotations" not in ingress["metadata"]


@pytest.mark.parametrize(
    ("class_name", "kind", "parent"),
    [
        (
            None,
            "ListenerSet",
            {
                "parentRef": {
                    "group": "gateway.networking.k8s.io",
                    "kind": "Gateway",
                    "name": "public",
                    "namespace": "gateway-system",
                }
            },
        ),
        ("traefik", "Gateway", {"gatewayClassName": "traefik"}),
    ],
)
def test_a_gateway_gets_a_listener_for_each_host(
    class_name: str | None, kind: str, parent: dict[str, Any]
) -> None:
    hosts = ["a.example.com", "*.example.com"]
    gateway = {**GATEWAY["gateway"], **({"className": class_name} if class_name else {})}
    spec = tls({**GATEWAY, "gateway": gateway, "hosts": hosts}).one(kind)["spec"]
    assert spec.items() >= parent.items()
    found = [(one["hostname"], one["port"], one["protocol"]) for one in spec["listeners"]]
    assert found == [(host, 8443, "HTTPS") for host in hosts]
    names = [one["name"] for one in spec["listeners"]]
    assert names == ["a.example.com", "wildcard.example.com"]
    for listener in spec["listeners"]:
        assert [ref["name"] for ref in listener["tls"]["certificateRefs"]] == ["beacon-tls"]
    registry = routed("gateway", split(), gateway=gateway, **with_tls())
    (ref,) = registry.one("HTTPRoute")["spec"]["parentRefs"]
    assert (ref["kind"], ref["name"], ref["namespace"]) == (kind, "beacon", "home")


def test_a_route_redirects_from_the_plain_listener_to_the_external_port() -> None:
    registry = tls({**GATEWAY, "externalTlsPort": 8443, "dns": {"ttlSeconds": 60}})
    redirect_route = registry.one("HTTPRoute", "beacon-redirect")
    assert redirect_route["metadata"]["annotations"] == {"external-dns.kubernetes.io/ttl": "60"}
    spec = redirect_route["spec"]
    (parent,) = spec["parentRefs"]
    assert (parent["name"], parent["sectionName"]) == ("public", "web")
    (rule,) = spec["rules"]
    (redirect,) = rule["filters"]
    assert redirect["requestRedirect"] == {"scheme": "https", "port": 8443, "statusCode": 301}


def test_without_a_redirect_requests_are_served_with_and_without_tls() -> None:
    off = {**GATEWAY, **with_tls(redirect=False)}
    assert tls(off).of_kind("HTTPRoute") == []
    keys = {key: value for key, value in off.items() if key != "backend"}
    spec = routed("gateway", split(), **keys).one("HTTPRoute")["spec"]
    assert [ref["kind"] for ref in spec["parentRefs"]] == ["ListenerSet", "Gateway"]


def test_every_response_of_a_gateway_has_the_hsts_header() -> None:
    keys = {"gateway": GATEWAY["gateway"], **with_tls(hstsSeconds=3600)}
    for rule in routed("gateway", split(), **keys).one("HTTPRoute")["spec"]["rules"]:
        (modifier,) = rule["filters"]
        assert modifier["responseHeaderModifier"]["set"] == [
            {"name": "Strict-Transport-Security", "value": "max-age=3600"}
        ]
