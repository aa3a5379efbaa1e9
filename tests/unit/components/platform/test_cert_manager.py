"""cert-manager and the Issuers of a stack."""

from typing import Any

import pytest

from components.platform.cert_manager import CertManager
from components.platform.issuers import Issuers
from settings import Settings
from tests.unit.harness import Registry, run
from tests.unit.stacks import changed, settings


def stack(**changes: Any) -> Settings:
    return settings(**changed({"routing": {"tls": {"mode": "selfSigned"}}}, changes))


def deployed(found: Settings) -> Registry:
    return run(
        lambda: CertManager.of(
            "cert-manager",
            {
                "settings": found.cert_manager,
                "network": found.network,
                "services": found.certified,
            },
        )
    )


def issuers(found: Settings) -> Registry:
    return run(
        lambda: Issuers.of(
            "issuers",
            {
                "namespace": "shop",
                "services": found.certified,
                "network": found.network,
                "acme": found.cert_manager.acme,
            },
        )
    )


def acme(*hosts: str, backend: str = "ingress", **keys: Any) -> Registry:
    routing = {
        "backend": backend,
        "hosts": [*hosts],
        "gateway": {"sectionName": "web"} if backend == "gateway" else {},
        "tls": {"mode": "acme"},
    }
    return issuers(
        settings(routing=routing, certManager={"acme": {"email": "team@example.com", **keys}})
    )


def test_a_stack_without_certificates_has_no_cert_manager_and_no_issuers() -> None:
    assert deployed(settings()).resources == {}
    assert issuers(settings()).resources == {}


@pytest.mark.parametrize("existing", [{"secretName": "shop-tls"}, {"clusterIssuer": "corporate"}])
def test_existing_certificates_and_issuers_need_no_cert_manager(existing: dict[str, str]) -> None:
    found = settings(routing={"tls": {"mode": "existing", "existing": existing}})
    assert deployed(found).resources == {}
    assert issuers(found).resources == {}


def test_a_cluster_may_have_its_own_cert_manager() -> None:
    found = stack(certManager={"enabled": False})
    assert deployed(found).resources == {}
    assert issuers(found).named("Issuer") == {"slipway-self-signed", "slipway-ca"}


def test_the_definitions_are_kept_for_other_stacks() -> None:
    registry = deployed(stack())
    definitions = registry.of_kind("CustomResourceDefinition")
    assert {one.inputs["spec"]["names"]["kind"] for one in definitions} == {
        *("Certificate", "CertificateRequest", "Challenge", "ClusterIssuer", "Issuer", "Order")
    }
    assert all(one.retain_on_delete for one in definitions)


def test_the_controller_starts_after_the_definitions_and_permissions() -> None:
    registry = deployed(stack())
    controller = registry.dependencies_of(registry.urn_of("Deployment", "cert-manager"))
    for kind in ("CustomResourceDefinition", "ClusterRoleBinding", "NetworkPolicy"):
        needed = {urn for urn, one in registry.resources.items() if one.is_of(kind)}
        own = {urn for urn in needed if "default-deny" not in urn}
        assert own and own <= controller, kind


def test_two_controllers_never_run_at_once() -> None:
    spec = deployed(stack()).one("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_prometheus_connects_to_the_controller_and_it_connects_to_the_acme_server() -> None:
    server = "https://acme.ca.svc:14000/directory"
    found = stack(certManager={"acme": {"email": "team@example.com", "server": server}})
    policy = deployed(found).one("NetworkPolicy", "cert-manager")["spec"]
    (rule,) = policy["ingress"]
    assert [port["port"] for port in rule["ports"]] == ["metrics"]
    assert rule["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}
    ports = {port["port"] for rule in policy["egress"] for port in rule.get("ports", ())}
    assert ports == {53, 80, 443, 6443}
    namespaces = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in policy["egress"]
        for peer in rule.get("to", ())
        if "namespaceSelector" in peer
    ]
    assert {"ingress", "ca"} <= {*namespaces}


@pytest.mark.parametrize(("backend", "is_enabled"), [("ingress", False), ("gateway", True)])
def test_challenges_over_gateways_are_answered_if_a_service_needs_them(
    backend: str, is_enabled: bool
) -> None:
    routing = {"backend": backend, "tls": {"mode": "acme"}}
    routing |= {"gateway": {"sectionName": "web"}} if backend == "gateway" else {}
    found = settings(routing=routing, certManager={"acme": {"email": "team@example.com"}})
    (container,) = deployed(found).one("Deployment")["spec"]["template"]["spec"]["containers"]
    assert ("--enable-gateway-api" in container["args"]) == is_enabled


def test_hosts_have_http_challenges_and_wildcards_have_dns_challenges() -> None:
    key = {"name": "aws", "key": "secret"}
    zone = {"region": "eu-central-1", "accessKeyId": "AKIA", "secretAccessKey": key}
    registry = acme("a.example.com", "*.b.example.com", dns01={"route53": zone})
    spec = registry.one("Issuer")["spec"]["acme"]
    assert spec["solvers"] == [
        {
            "http01": {"ingress": {"serviceType": "ClusterIP", "ingressClassName": "nginx"}},
            "selector": {"dnsNames": ["a.example.com"]},
        },
        {
            "dns01": {
                "route53": {
                    "region": "eu-central-1",
                    "accessKeyID": "AKIA",
                    "secretAccessKeySecretRef": key,
                }
            },
            "selector": {"dnsNames": ["*.b.example.com"]},
        },
    ]
    assert spec["server"] == "https://acme-v02.api.letsencrypt.org/directory"


def test_a_gateway_answers_challenges_on_its_plain_listener() -> None:
    spec = acme("a.example.com", backend="gateway").one("Issuer")["spec"]["acme"]
    (parent,) = spec["solvers"][0]["http01"]["gatewayHTTPRoute"]["parentRefs"]
    assert (parent["name"], parent["sectionName"]) == ("public", "web")


def test_only_the_proxy_connects_to_the_pods_that_answer_challenges() -> None:
    policy = acme("a.example.com").one("NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"] == {"acme.cert-manager.io/http01-solver": "true"}
    (rule,) = policy["ingress"]
    assert [port["port"] for port in rule["ports"]] == [8089]
    assert policy["egress"] == []


def test_the_ca_signs_with_a_key_that_is_kept() -> None:
    registry = issuers(stack())
    certificate = registry.one("Certificate")["spec"]
    assert certificate["isCA"] is True
    assert certificate["privateKey"]["rotationPolicy"] == "Never"
    assert certificate["issuerRef"]["name"] == "slipway-self-signed"
    assert registry.one("Issuer", "slipway-ca")["spec"] == {
        "ca": {"secretName": certificate["secretName"]}
    }
