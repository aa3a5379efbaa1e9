"""Pebble, an ACME server for tests, on the address of the node."""

import json
import os
import ssl
import subprocess
from pathlib import Path
from typing import Self

import httpx

from local.layout import NODE_IP
from tests.cluster.project import wait_until
from tests.cluster.server import Server, build, free_port, start

BLOCKED = "blocked.example.com"
"""Domain that the server issues no certificate for."""


class AcmeServer(Server):
    """Pebble, which asks the proxy's Service in the cluster for the challenges.

    Its certificates are valid for ``seconds``. It resolves names by the DNS server ``dns``.
    """

    def __init__(self, folder: Path, dns: str, seconds: int) -> None:
        self._folder = folder
        self._dns = dns
        self._seconds = seconds
        self._port, self._management_port = free_port(NODE_IP), free_port(NODE_IP)
        self.directory = f"https://{NODE_IP}:{self._port}/dir"
        """URL of its directory."""
        self.certificate = folder / "pebble.pem"
        """File with the certificate of its API."""

    def __enter__(self) -> Self:
        build("pebble")
        key = self._folder / "pebble.key"
        subprocess.run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                ),
                *("-nodes", "-days", "2", "-subj", "/CN=pebble", "-keyout", key),
                *("-addext", f"subjectAltName=IP:{NODE_IP}", "-out", self.certificate),
            ],
            check=True,
            capture_output=True,
        )
        settings = {
            "listenAddress": f"{NODE_IP}:{self._port}",
            "managementListenAddress": f"{NODE_IP}:{self._management_port}",
            "certificate": str(self.certificate),
            "privateKey": str(key),
            "httpPort": 80,
            "tlsPort": 443,
            "domainBlocklist": [BLOCKED],
            "retryAfter": {"authz": 1, "order": 1},
            "profiles": {"default": {"description": "short", "validityPeriod": self._seconds}},
        }
        file = self._folder / "pebble.json"
        file.write_text(json.dumps({"pebble": settings}))
        self._process = start(
            "pebble",
            *("-config", file, "-dnsserver", self._dns),
            environment={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
            log=self._folder / "pebble.log",
        )
        wait_until("Pebble", self._is_ready, 20, 0.2)
        return self

    def root(self) -> str:
        """Certificate that clients of the issued certificates trust."""
        url = f"https://{NODE_IP}:{self._management_port}/roots/0"
        trusted = ssl.create_default_context(cafile=self.certificate)
        return httpx.get(url, verify=trusted).raise_for_status().text

    def _is_ready(self) -> bool:
        try:
            return bool(self.root())
        except httpx.HTTPError:
            return False
