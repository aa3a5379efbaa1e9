"""Certificates that the proxy serves."""

import json
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from local.layout import TLS_ENTRY_POINT
from tests.cluster.project import Project

PROXY = urlsplit(TLS_ENTRY_POINT)


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
