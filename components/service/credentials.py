"""The Secrets that workloads use: a token they read from a file, and the registry's login."""

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pydantic import SecretStr

from components.labels import Identity
from components.secret_data import secret_data
from settings import ImageSettings, RegistryLogin


class CredentialsArgs(TypedDict):
    """What :class:`Credentials` are made from."""

    namespace: str
    token: NotRequired[SecretStr | None]
    """Bearer token of the admin port. Generated, 32 characters, when left out."""
    image: ImageSettings
    """The registry that the cluster pulls from, and the login where it asks for one."""


@dataclass(frozen=True)
class CredentialNames:
    """What the Secrets are called."""

    token: str
    """The Secret whose key ``token`` is the admin port's token."""
    pull: tuple[str, ...] = ()
    """The Secrets with which images are pulled; none where the registry is open."""


class Credentials(pulumi.ComponentResource):
    """Secrets as files and pull secrets, never as environment variables."""

    names: CredentialNames

    def __init__(
        self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:credentials:Credentials", name, None, opts)
        self._namespace = args["namespace"]
        self._labels = Identity(name, args["namespace"]).labels
        given = args.get("token")
        token = given.get_secret_value() if given else self._generated(f"{name}-token-value")
        self._secret(f"{name}-token", "Opaque", {"token": token})
        self.names = CredentialNames(f"{name}-token")
        if login := args["image"].login:
            config = _docker_config(args["image"].registry, login)
            kind = "kubernetes.io/dockerconfigjson"
            self._secret(f"{name}-registry", kind, {".dockerconfigjson": config})
            self.names = CredentialNames(f"{name}-token", (f"{name}-registry",))
        self.register_outputs({})

    def _generated(self, name: str) -> pulumi.Output[str]:
        from pulumi_random import RandomPassword  # noqa: PLC0415  # only where one is generated

        opts = pulumi.ResourceOptions(parent=self)
        return RandomPassword(name, length=32, special=False, opts=opts).result

    def _secret(self, name: str, kind: str, data: dict[str, pulumi.Input[str]]) -> None:
        Secret(
            name,
            metadata={"name": name, "namespace": self._namespace, "labels": self._labels},
            type=kind,
            data=secret_data(data),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _docker_config(registry: str, login: RegistryLogin) -> str:
    pair = f"{login.username}:{login.password.get_secret_value()}".encode()
    return json.dumps({"auths": {registry: {"auth": b64encode(pair).decode()}}})
