"""Vault's server in development mode, on an address of this machine."""

import os
import secrets
import subprocess
from collections.abc import Mapping
from typing import Any, Self

import httpx

from local.layout import NODE_IP, Layout
from tests.cluster.project import wait_until
from tests.cluster.server import build, free_port, start

SERVICE_ACCOUNT = "secret-store-team"
"""ServiceAccount of the store `team`."""


class Vault:
    """A server that keeps its data in memory: a restart deletes them."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._address = f"{address}:{free_port(address)}"
        self.url = f"http://{self._address}"
        self.token = secrets.token_hex(16)
        """Root token."""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        build("vault")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        self._process = start(
            "vault",
            environment={
                **os.environ,
                "VAULT_DEV_LISTEN_ADDRESS": self._address,
                "VAULT_DEV_ROOT_TOKEN_ID": self.token,
            },
        )
        wait_until("Vault", self._is_ready, seconds=30, interval=0.2)

    def stop(self) -> None:
        """Kill the server."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def write(self, path: str, **data: Any) -> None:
        """Write to a path of the API."""
        self._request("POST", path, json=data)

    def delete(self, path: str) -> None:
        """Delete a path of the API."""
        self._request("DELETE", path)

    def _request(self, method: str, path: str, **options: Any) -> None:
        headers = {"X-Vault-Token": self.token}
        url = f"{self.url}/v1/{path}"
        response = httpx.request(method, url, headers=headers, timeout=10, **options)
        assert response.is_success, response.text

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v1/sys/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


class TeamVault(Vault):
    """A server with the role `shop`: the ServiceAccounts of stores `team` may read `shop/`."""

    def __init__(self, environment: Mapping[str, str], values: Mapping[str, str]) -> None:
        super().__init__(NODE_IP)
        self._environment = environment
        self._reviewer = f"test-vault-{secrets.token_hex(3)}"
        self._values = dict(values)

    def __enter__(self) -> Self:
        self._kubectl(
            *("create", "clusterrolebinding", self._reviewer),
            *("--clusterrole=system:auth-delegator", "--serviceaccount=default:default"),
        )
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._kubectl("delete", "clusterrolebinding", self._reviewer)

    def start(self) -> None:
        super().start()
        self.write(
            "auth/kubernetes/config",
            kubernetes_host=f"https://{NODE_IP}:6443",
            kubernetes_ca_cert=(Layout().pki / "ca.crt").read_text(),
            token_reviewer_jwt=self._kubectl("create", "token", "default"),
        )
        self.write(
            "auth/kubernetes/role/shop",
            bound_service_account_names=SERVICE_ACCOUNT,
            bound_service_account_namespaces="*",
            token_policies="shop",
            token_ttl="1m",
        )
        self.allow()
        for name, value in self._values.items():
            self.put(name, value)

    def put(self, name: str, value: str) -> None:
        """Set the key `value` of the secret `shop/<name>`."""
        self._values[name] = value
        self.write(f"secret/data/shop/{name}", data={"value": value})

    def allow(self) -> None:
        """Allow the role to read."""
        policy = 'path "secret/data/shop/*" {capabilities = ["read"]}'
        self.write("sys/policies/acl/shop", policy=policy)

    def revoke(self) -> None:
        """Take the access back."""
        self.delete("sys/policies/acl/shop")

    def _kubectl(self, *arguments: str) -> str:
        result = subprocess.run(
            ["kubectl", "--namespace=default", *arguments],
            env=dict(self._environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()
