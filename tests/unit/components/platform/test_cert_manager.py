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
    return run(lambda: Issuers.of("issuers", {"namespace": "shop", "services": found.certified}))


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


def test_nobody_connects_to_the_controller_and_it_connects_to_the_api_server() -> None:
    policy = deployed(stack()).one("NetworkPolicy", "cert-manager")["spec"]
    assert policy["ingress"] == []
    ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert ports == {53, 443, 6443}


def test_the_ca_signs_with_a_key_that_is_kept() -> None:
    registry = issuers(stack())
    certificate = registry.one("Certificate")["spec"]
    assert certificate["isCA"] is True
    assert certificate["privateKey"]["rotationPolicy"] == "Never"
    assert certificate["issuerRef"]["name"] == "slipway-self-signed"
    assert registry.one("Issuer", "slipway-ca")["spec"] == {
        "ca": {"secretName": certificate["secretName"]}
    }
