"""Secrets of a service: files, environment variables and an image pull secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pydantic import SecretStr

from components.labels import Identity
from components.prune import prune_none
from components.secret_data import secret_data
from settings import GeneratedSecret, RegistrySettings, SecretFiles, docker_config

_NOT_TRACKED = {"flagger.app/config-tracking": "disabled"}


class CredentialsArgs(TypedDict):
    """Arguments of :class:`Credentials`."""

    namespace: str
    files: NotRequired[SecretFiles]
    """Secrets by file name. Default: none."""
    environment: NotRequired[Mapping[str, str]]
    """Encrypted values of environment variables, by their key in the Secret. Default: none."""
    registry: RegistrySettings
    """Registry of the image, with its credentials if it requires any."""
    is_tracked: NotRequired[bool]
    """False: Flagger does not copy the Secrets for the pods of the primary, so that they read new
    values too. Default: true."""


@dataclass(frozen=True)
class CredentialNames:
    """Names of the Secrets."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Secret of each file; its key is the file's name."""
    environment: str = ""
    """Secret with the values of environment variables."""
    pull: tuple[str, ...] = ()
    """Image pull secrets. Empty if the registry requires no credentials."""
    revision: pulumi.Input[str] | None = None
    """Changes with each encrypted value. ``None``: there is none."""


class Credentials(pulumi.ComponentResource):
    """Secrets that pods mount as files, read as variables or pull images with."""

    names: CredentialNames

    def __init__(
        self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:credentials:Credentials", name, None, opts)
        self._namespace = args["namespace"]
        self._labels = Identity(name, args["namespace"]).labels
        self._annotations = None if args.get("is_tracked", True) else _NOT_TRACKED
        files, environment = args.get("files", {}), args.get("environment", {})
        for file, value in files.items():
            secret = f"{name}-{file}"
            self._secret(secret, "Opaque", {file: self._value(f"{secret}-value", value)})
        if environment:
            self._secret(f"{name}-env", "Opaque", environment)
        pull = ()
        if login := args["registry"].credentials:
            pull = (f"{name}-registry",)
            password = login.password.get_secret_value()
            config = docker_config(args["registry"].host, login.username, password)
            self._secret(pull[0], "kubernetes.io/dockerconfigjson", {".dockerconfigjson": config})
        encrypted = {
            file: value.get_secret_value()
            for file, value in files.items()
            if isinstance(value, SecretStr)
        }
        self.names = CredentialNames(
            files={file: f"{name}-{file}" for file in files},
            environment=f"{name}-env",
            pull=pull,
            revision=self._revision(f"{name}-secrets-revision", {**encrypted, **environment}),
        )
        self.register_outputs({})

    def _value(self, name: str, value: GeneratedSecret | SecretStr) -> pulumi.Input[str]:
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        from pulumi_random import RandomPassword  # noqa: PLC0415  # only for a generated value

        generate = value.generate
        opts = pulumi.ResourceOptions(parent=self)
        return RandomPassword(
            name, length=generate.length, special=generate.special, opts=opts
        ).result

    def _revision(self, name: str, values: Mapping[str, str]) -> pulumi.Input[str] | None:
        """A random ID that is replaced when a value changes.

        A checksum in the pods' annotations would let a short secret be guessed.
        """
        if not values:
            return None
        from pulumi_random import RandomId  # noqa: PLC0415  # only for encrypted values

        opts = pulumi.ResourceOptions(parent=self)
        return RandomId(name, byte_length=8, keepers=pulumi.Output.secret(values), opts=opts).hex

    def _secret(self, name: str, secret_type: str, data: Mapping[str, pulumi.Input[str]]) -> None:
        Secret(
            name,
            metadata=prune_none(
                {
                    "name": name,
                    "namespace": self._namespace,
                    "labels": self._labels,
                    "annotations": self._annotations,
                }
            ),
            type=secret_type,
            data=secret_data(data),
            opts=pulumi.ResourceOptions(parent=self),
        )
