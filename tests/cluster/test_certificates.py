"""Certificates of services over both back ends: issued, served by SNI, and renewed."""

import copy
import json
import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from commands.load import Load
from local.layout import CLUSTER_DOMAIN, DNS_SERVICE_IP, ENTRY_POINT
from settings import RoutingBackend
from tests.cluster.acme_server import BLOCKED, AcmeServer
from tests.cluster.project import Project, wait_until
from tests.cluster.tls_client import (
    PROXY,
    get,
    renew,
    serial,
    tls_load,
    tls_routing,
    use_cert_manager,
    write_authority,
)

pytestmark = pytest.mark.timeout(600)

SERVICES: Mapping[RoutingBackend, str] = {"ingress": "beacon", "gateway": "edge"}
"""Service of each back end."""
RATE = int(os.environ.get("TLS_RATE", "50"))
"""Requests per second to each service; each opens a connection."""
RENEWALS = 2
ACME_SECONDS = int(os.environ.get("ACME_SECONDS", "90"))
"""Lifetime of a certificate of the ACME server. It is renewed after two thirds, within 25 s."""


def host(project: Project, service: str) -> str:
    return f"{service}.{project.stack}.localhost"


def hosts(project: Project, backend: RoutingBackend) -> list[str]:
    """Hosts of the service of a back end."""
    name = host(project, SERVICES[backend])
    return [name] if backend == "ingress" else [name, f"www.{name}"]


def configure(project: Project) -> None:
    """Give both services TLS."""
    with project.config() as config:
        beacon = config["slipway:services"]["beacon"]
        beacon["release"]["strategy"] = "rolling"
        beacon["autoscaling"] = {"enabled": False}
        beacon["workload"]["replicas"] = 1
        for backend, name in SERVICES.items():
            service = copy.deepcopy(beacon)
            service["routing"] = tls_routing(backend, *hosts(project, backend))
            config["slipway:services"][name] = service
            service["image"] = {"repository": f"slipway/{project.stack}/{name}"}


@pytest.fixture(scope="module")
def authority(project: Project) -> Path:
    """File with the certificate of the stack's CA. The services are deployed."""
    configure(project)
    use_cert_manager(project)
    project.make("up")
    return write_authority(project)


def serials(authority: Path, names: Collection[str]) -> dict[str, str]:
    return {name: serial(authority, name) for name in names}


def wait_for_others(authority: Path, before: Mapping[str, str], seconds: float = 60) -> None:
    """Wait until all hosts are served with other certificates."""
    wait_until(
        "new certificates",
        lambda: all(serial(authority, name) != old for name, old in before.items()),
        seconds,
    )


def renew_all(project: Project) -> None:
    """Renew the certificates of the services now."""
    for service in SERVICES.values():
        renew(project, f"{service}-tls")


def load(authority: Path, name: str) -> Load:
    """Load with a new TLS connection for each request."""
    return tls_load(authority, name, RATE, "-keepalive=false")


def test_each_host_is_served_with_the_certificate_of_its_service(
    project: Project, authority: Path
) -> None:
    names = [host(project, service) for service in SERVICES.values()]
    names.append(f"www.{names[-1]}")
    for name in names:
        assert get(authority, name).status_code == 200, name
    served = {name: serial(authority, name) for name in names}
    assert len({*served.values()}) == len(SERVICES), served
    urls = json.loads(
        project.run(
            "pulumi", "stack", "output", "services", "--json", "--stack", project.stack
        ).stdout
    )
    assert urls["beacon"]["url"] == f"https://{names[0]}:{PROXY.port}"


def test_http_is_redirected_and_browsers_are_told_to_use_https(
    project: Project, authority: Path
) -> None:
    name = host(project, "edge")
    response = httpx.get(f"{ENTRY_POINT}/version", headers={"Host": name})
    assert response.status_code == 301
    assert response.headers["Location"] == f"https://{name}:{PROXY.port}/version"
    assert get(authority, name).headers["Strict-Transport-Security"] == "max-age=3600"


def test_a_renewed_certificate_is_served_without_a_failed_request(
    project: Project, authority: Path
) -> None:
    names = [host(project, service) for service in SERVICES.values()]
    with ExitStack() as stack:
        loads = [stack.enter_context(load(authority, name)) for name in names]
        for _ in range(RENEWALS):
            before = serials(authority, names)
            renew_all(project)
            wait_for_others(authority, before)
    for one in loads:
        assert one.failures == []
        assert one.statuses.total() > RATE


@pytest.fixture
def other(project: Project, authority: Path, tmp_path: Path) -> Iterator[Project]:
    """Another stack in the cluster."""
    other = Project.copy(tmp_path, f"test-{secrets.token_hex(3)}", project.environment)
    configure(other)
    yield other
    other.make("down")
    other.remove_stack()


def test_a_second_stack_uses_the_same_cert_manager_and_deletes_nothing_of_it(
    project: Project, authority: Path, other: Project
) -> None:
    refused = other.make_fails("up")
    assert refused.returncode == 2
    assert "slipway:certManager.enabled false" in refused.stdout + refused.stderr
    with other.config() as config:
        config["slipway:certManager"] = {"enabled": False}
    other.make("up")
    assert get(write_authority(other), host(other, "beacon")).status_code == 200
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        get(authority, host(other, "beacon"))
    assert other.stack in project.make_fails("down").stderr
    other.make("down")
    before = serials(authority, [host(project, "beacon")])
    renew_all(project)
    wait_for_others(authority, before)


def test_a_deployed_stack_has_no_drift(project: Project, authority: Path) -> None:
    project.assert_unchanged()
    project.assert_no_drift()


@pytest.fixture(scope="module")
def acme(
    project: Project, authority: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """File with the root certificate of an ACME server that issues the services' certificates."""
    folder = tmp_path_factory.mktemp("acme")
    for service in SERVICES.values():
        project.kubectl(
            *("create", "service", "externalname", f"acme-{service}"),
            *("--external-name", f"traefik.ingress.svc.{CLUSTER_DOMAIN}"),
        )
    with AcmeServer(folder, f"{DNS_SERVICE_IP}:53", ACME_SECONDS) as server:
        with project.config() as config:
            config["slipway:certManager"]["acme"] = {
                "server": server.directory,
                "email": "team@example.com",
                "caBundle": server.certificate.read_text(),
            }
            for service in SERVICES.values():
                routing = config["slipway:services"][service]["routing"]
                routing["hosts"] = [acme_host(project, service)]
                routing["tls"]["mode"] = "acme"
        project.make("up")
        root = folder / "root.pem"
        root.write_text(server.root())
        yield root


def acme_host(project: Project, service: str) -> str:
    """A host that resolves to the proxy, also inside the cluster."""
    return f"acme-{service}.{project.stack}.svc.{CLUSTER_DOMAIN}"


def test_certificates_of_an_acme_server_are_renewed_without_a_failed_request(
    project: Project, acme: Path
) -> None:
    names = [acme_host(project, service) for service in SERVICES.values()]
    with ExitStack() as stack:
        loads = [stack.enter_context(load(acme, name)) for name in names]
        before = serials(acme, names)
        wait_for_others(acme, before, ACME_SECONDS)
        before = serials(acme, names)
        renew_all(project)
        wait_for_others(acme, before)
    for one in loads:
        assert one.failures == []
        assert one.statuses.total() > RATE


def test_a_failed_issuance_is_reported_and_the_certificate_is_still_served(
    project: Project, acme: Path
) -> None:
    name = acme_host(project, "beacon")
    patch = {"spec": {"dnsNames": [name, BLOCKED]}}
    project.kubectl(
        *("patch", "certificate", "beacon-tls", "--type=merge", f"--patch={json.dumps(patch)}")
    )

    def status() -> str:
        return project.kubectl(
            *("get", "certificate", "beacon-tls", "--output", "jsonpath={.status.conditions}")
        )

    wait_until("the reason", lambda: "forbidden by policy" in status(), 30)
    assert get(acme, name).status_code == 200
    (pod,) = project.run(
        *("kubectl", "get", "pods", "--namespace", "cert-manager", "--output", "name")
    ).stdout.split()
    path = f"/api/v1/namespaces/cert-manager/pods/{pod.removeprefix('pod/')}:9402/proxy/metrics"
    ready = (
        'certmanager_certificate_ready_status{condition="False",issuer_group="cert-manager.io",'
        'issuer_kind="Issuer",issuer_name="slipway-acme",name="beacon-tls",'
        f'namespace="{project.stack}"}} 1'
    )
    assert ready in project.run("kubectl", "get", "--raw", path).stdout


def test_a_deleted_stack_leaves_only_the_definitions(project: Project, authority: Path) -> None:
    project.make("down")
    for kind in ("namespaces", "clusterroles", "clusterrolebindings"):
        names = project.run("kubectl", "get", kind, "--output", "name").stdout
        assert project.stack not in names
    assert "cert-manager.io" in project.run("kubectl", "get", "crds", "--output", "name").stdout
