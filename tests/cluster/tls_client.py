"""Services with certificates of the stack's CA, and requests to them over HTTPS."""

import json
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from commands.load import Load
from local.layout import TLS_ENTRY_POINT
from settings import RoutingBackend
from tests.cluster.project import Project

PROXY = urlsplit(TLS_ENTRY_POINT)


def tls_routing(backend: RoutingBackend, *hosts: str) -> dict[str, Any]:
    """``routing`` of a service with a certificate of the stack's CA, through the node's proxy."""
    common = {"backend": backend, "hosts": [*hosts], "externalTlsPort": PROXY.port}
    if backend == "ingress":
        return {**common, "tls": {"mode": "selfSigned", "redirect": False}}
    gateway = {"sectionName": "web", "className": "traefik", "tlsPort": PROXY.port}
    return {**common, "gateway": gateway, "tls": {"mode": "selfSigned", "hstsSeconds": 3600}}


def use_cert_manager(project: Project) -> None:
    """Let the stack bring cert-manager, unless the cluster has it."""
    is_used = project.run("kubectl", "get", "namespace", "cert-manager").returncode == 0
    with project.config() as config:
        config["slipway:certManager"] = {"enabled": not is_used}


def write_authority(project: Project) -> Path:
    """Write the certificate of the deployed stack's CA to a file, and return its path."""
    file = project.folder / "ca.pem"
    project.make("ca-certificate", f"OUT={file}")
    return file


def tls_load(authority: Path, name: str, rate: int, *options: str) -> Load:
    """Load on a host over HTTPS."""
    return Load(
        f"https://{name}:{PROXY.port}/",
        rate,
        options=(
            f"-connect-to={name}:{PROXY.port}:{PROXY.netloc}",
            f"-root-certs={authority}",
            *options,
        ),
    )


def get(authority: Path, name: str, path: str = "/version") -> httpx.Response:
    """Send a GET request to the proxy's TLS port, with ``name`` as SNI."""
    trusted = ssl.create_default_context(cafile=authority)
    with httpx.Client(verify=trusted, timeout=10) as client:
        return client.get(
            f"https://{PROXY.hostname}:{PROXY.port}{path}",
            headers={"Host": f"{name}:{PROXY.port}"},
            extensions={"sni_hostname": name},
        )


def serial(authority: Path, name: str) -> str:
    """Serial number of the certificate that the proxy serves for a host."""
    trusted = ssl.create_default_context(cafile=authority)
    with (
        socket.create_connection((PROXY.hostname, PROXY.port), timeout=10) as connection,
        trusted.wrap_socket(connection, server_hostname=name) as session,
    ):
        return str((session.getpeercert() or {})["serialNumber"])


def renew(project: Project, certificate: str) -> None:
    """Make cert-manager renew a certificate now, as `cmctl renew` does."""
    found = json.loads(project.kubectl("get", "certificate", certificate, "--output", "json"))
    issuing = {
        "type": "Issuing",
        "status": "True",
        "reason": "ManuallyTriggered",
        "message": "renewed by a test",
        "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "observedGeneration": found["metadata"]["generation"],
    }
    conditions = [*found["status"]["conditions"], issuing]
    project.kubectl(
        *("patch", "certificate", certificate, "--subresource=status", "--type=merge"),
        f"--patch={json.dumps({'status': {'conditions': conditions}})}",
    )
