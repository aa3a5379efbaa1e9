"""Secrets of a service: the bearer token of its admin port and an image pull secret."""

from dataclasses import dataclass
from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pydantic import SecretStr

from components.labels import Identity
from components.secret_data import secret_data
from settings import RegistrySettings, docker_config


class CredentialsArgs(TypedDict):
    """Arguments of :class:`Credentials`."""

    namespace: str
    token: NotRequired[SecretStr | None]
    """Bearer token of the admin port. Default: 32 random characters."""
    registry: RegistrySettings
    """Registry of the image, with its credentials if it requires any."""


@dataclass(frozen=True)
class CredentialNames:
    """Names of the Secrets."""

    token: str
    """Secret with the bearer token under the key ``token``."""
    pull: tuple[str, ...] = ()
    """Image pull secrets. Empty if the registry requires no credentials."""


class Credentials(pulumi.ComponentResource):
    """Secrets that pods mount as files or pull images with; none is an environment variable."""

    names: CredentialNames

    def __init__(
        self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:credentials:Credentials", name, None, opts)
        self._namespace = args["namespace"]
        self._labels = Identity(name, args["namespace"]).labels
        token = args.get("token")
        value = token.get_secret_value() if token else self._random(f"{name}-token-value")
        self._secret(f"{name}-token", "Opaque", {"token": value})
        self.names = CredentialNames(f"{name}-token")
        if login := args["registry"].credentials:
            password = login.password.get_secret_value()
            config = docker_config(args["registry"].host, login.username, password)
            self._secret(
                f"{name}-registry",
                "kubernetes.io/dockerconfigjson",
                {".dockerconfigjson": config},
            )
            self.names = CredentialNames(f"{name}-token", (f"{name}-registry",))
        self.register_outputs({})

    def _random(self, name: str) -> pulumi.Output[str]:
        from pulumi_random import RandomPassword  # noqa: PLC0415  # no plugin needed with a token

        opts = pulumi.ResourceOptions(parent=self)
        return RandomPassword(name, length=32, special=False, opts=opts).result

    def _secret(self, name: str, secret_type: str, data: dict[str, pulumi.Input[str]]) -> None:
        Secret(
            name,
            metadata={"name": name, "namespace": self._namespace, "labels": self._labels},
            type=secret_type,
            data=secret_data(data),
            opts=pulumi.ResourceOptions(parent=self),
        )
