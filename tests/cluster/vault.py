"""Vault's server in development mode, on the address of the node."""

import os
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from local.layout import NODE_IP, Layout
from tests.cluster.project import wait_until

PORT = 8299
REVIEWER = "test-vault-token-reviewer"
"""ClusterRoleBinding that lets Vault check the tokens of ServiceAccounts."""


@dataclass
class Vault:
    """A server with the role `shop`, which may read all secrets below `shop/`."""

    environment: Mapping[str, str]
    _token: str = field(default_factory=lambda: secrets.token_hex(16))
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """URL for pods."""
        return f"http://{NODE_IP}:{PORT}"

    def start(self, values: Mapping[str, str]) -> None:
        """Start a server that is empty but for the passwords ``values``, by path."""
        self._process = subprocess.Popen(
            # Ends with the tests, even if they are killed.
            ["setpriv", "--pdeathsig", "KILL", "--", Layout().bin / "vault"],
            env={
                **os.environ,
                "VAULT_DEV_LISTEN_ADDRESS": f"{NODE_IP}:{PORT}",
                "VAULT_DEV_ROOT_TOKEN_ID": self._token,
            },
        )
        wait_until("Vault", self._is_ready, seconds=30, interval=0.2)
        self._post("auth/kubernetes/config", self._cluster())
        self._post(
            "sys/policies/acl/shop",
            {"policy": 'path "secret/data/shop/*" {capabilities = ["read"]}'},
        )
        self.allow()
        for path, value in values.items():
            self.put(path, value)

    def stop(self) -> None:
        """Stop the server, which loses its data."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def put(self, path: str, password: str) -> None:
        """Set the key `password` of a secret."""
        self._post(f"secret/data/{path}", {"data": {"password": password}})

    def allow(self) -> None:
        """Allow the ServiceAccounts of the store `team` to read."""
        self._post(
            "auth/kubernetes/role/shop",
            {
                "bound_service_account_names": "secret-store-team",
                "bound_service_account_namespaces": "*",
                "token_policies": "shop",
                "token_ttl": "1m",
            },
        )

    def revoke(self) -> None:
        """Take the access back."""
        self._request("DELETE", "auth/kubernetes/role/shop")

    def _cluster(self) -> Mapping[str, str]:
        certificate = Layout().pki / "ca.crt"
        return {
            "kubernetes_host": f"https://{NODE_IP}:6443",
            "kubernetes_ca_cert": Path(certificate).read_text(),
            "token_reviewer_jwt": self._kubectl("create", "token", "default", "-n", "default"),
        }

    def bind_reviewer(self) -> None:
        """Let the token of the ServiceAccount `default/default` check others."""
        self.unbind_reviewer()
        self._kubectl(
            *("create", "clusterrolebinding", REVIEWER, "--clusterrole=system:auth-delegator"),
            "--serviceaccount=default:default",
        )

    def unbind_reviewer(self) -> None:
        """Delete the ClusterRoleBinding."""
        self._kubectl("delete", "clusterrolebinding", REVIEWER, "--ignore-not-found")

    def _kubectl(self, *arguments: str) -> str:
        result = subprocess.run(
            ["kubectl", *arguments],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return result.stdout.strip()

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v1/sys/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        self._request("POST", path, json=body)

    def _request(self, method: str, path: str, **options: Any) -> None:
        headers = {"X-Vault-Token": self._token}
        url = f"{self.url}/v1/{path}"
        response = httpx.request(method, url, headers=headers, timeout=10, **options)
        assert response.is_success, response.text
