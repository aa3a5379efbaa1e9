"""Secrets of a service: files, environment variables and an image pull secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

from components.labels import Identity
from components.platform.secret_stores import API_VERSION
from components.prune import prune_none
from components.secret_data import secret_data
from settings import (
    ExternalSecretSource,
    RegistrySettings,
    SecretEntry,
    SecretFiles,
    docker_config,
    secret_name,
)

_NOT_TRACKED = {"flagger.app/config-tracking": "disabled"}
_SYNC_TIMEOUT = "1m"
"""Time for the first read of an external secret."""


class CredentialsArgs(TypedDict):
    """Arguments of :class:`Credentials`."""

    namespace: str
    secrets: NotRequired[SecretFiles]
    """Secrets by name. Default: none."""
    versions: NotRequired[Mapping[str, SecretFiles]]
    """Secrets of each version, for those that a version keeps. Default: none."""
    stores: NotRequired[pulumi.Resource | None]
    """Stores of external secrets. Default: none."""
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

    secrets: Mapping[str, str] = field(default_factory=dict)
    """Secret of each entry of ``secrets``; its key is the entry's name."""
    versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Secrets that a version has of its own, by version."""
    environment: str = ""
    """Secret with the values of environment variables."""
    pull: tuple[str, ...] = ()
    """Image pull secrets. Empty if the registry requires no credentials."""
    revision: pulumi.Input[str] | None = None
    """Changes with each value whose change restarts the pods. ``None``: there is none."""
    reloaded: tuple[str, ...] = ()
    """Secrets whose change makes Reloader restart the pods."""

    def of_version(self, version: str | None) -> "CredentialNames":
        """The names for the pods of a version."""
        own = self.versions.get(version or "", {})
        return replace(self, secrets={**self.secrets, **own}, versions={})


class Credentials(pulumi.ComponentResource):
    """Secrets that pods mount as files, read as variables or pull images with."""

    names: CredentialNames

    def __init__(
        self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:credentials:Credentials", name, None, opts)
        self._name = name
        self._namespace = args["namespace"]
        self._labels = Identity(name, args["namespace"]).labels
        self._is_tracked = args.get("is_tracked", True)
        self._stores = args.get("stores")
        environment = args.get("environment", {})
        secrets = {
            key: entry
            for key, entry in args.get("secrets", {}).items()
            if entry.effect != "release"
        }
        versions = {
            version: self._version_secrets(version, entries)
            for version, entries in args.get("versions", {}).items()
        }
        names = {key: self._entry(key, entry) for key, entry in secrets.items()}
        if environment:
            self._secret(f"{name}-env", "Opaque", environment)
        pull = ()
        if login := args["registry"].credentials:
            pull = (f"{name}-registry",)
            password = login.password.get_secret_value()
            config = docker_config(args["registry"].host, login.username, password)
            self._secret(pull[0], "kubernetes.io/dockerconfigjson", {".dockerconfigjson": config})
        revisions = {
            key: revision
            for key, entry in secrets.items()
            if entry.effect == "restart" and (revision := _revision(entry))
        }
        self.names = CredentialNames(
            secrets=names,
            versions=versions,
            environment=f"{name}-env",
            pull=pull,
            revision=self._revision_id(f"{name}-secrets-revision", {**revisions, **environment}),
            reloaded=tuple(
                names[key]
                for key, entry in secrets.items()
                if entry.external and entry.effect == "restart"
            ),
        )
        self.register_outputs({})

    def _entry(self, key: str, entry: SecretEntry) -> str:
        """Create the Secret of an entry, and return its name."""
        return self._secret_of(secret_name(self._name, key), key, entry, is_kept=False)

    def _version_secrets(self, version: str, entries: SecretFiles) -> dict[str, str]:
        """Create the Secrets that a version keeps, and return their names."""
        names: dict[str, str] = {}
        for key, entry in entries.items():
            if entry.effect == "release":
                secret = secret_name(self._name, key, version)
                names[key] = self._secret_of(secret, key, entry, is_kept=True)
        return names

    def _secret_of(self, secret: str, key: str, entry: SecretEntry, *, is_kept: bool) -> str:
        if entry.external:
            self._external(secret, key, entry.external, is_kept=is_kept)
        else:
            value = self._value(f"{secret}-value", entry, is_kept=is_kept)
            self._secret(secret, "Opaque", {key: value}, is_kept=is_kept)
        return secret

    def _external(
        self, secret: str, key: str, source: ExternalSecretSource, *, is_kept: bool
    ) -> None:
        """Create the ExternalSecret of a Secret. The Secret keeps its value without the store."""
        annotations = None if self._is_tracked or is_kept else _NOT_TRACKED
        remote = {"key": source.key, "property": source.property}
        CustomResource(
            secret,
            api_version=API_VERSION,
            kind="ExternalSecret",
            metadata={
                "name": secret,
                "namespace": self._namespace,
                "labels": self._labels,
                "annotations": {"pulumi.com/waitFor": "condition=Ready"},
            },
            spec=prune_none(
                {
                    "refreshPolicy": "CreatedOnce" if is_kept else "Periodic",
                    "refreshInterval": f"{source.refresh_seconds}s",
                    "secretStoreRef": {"kind": "SecretStore", "name": source.store},
                    "target": {
                        "name": secret,
                        "creationPolicy": "Owner",
                        "deletionPolicy": "Retain",
                        "template": {
                            "metadata": {"labels": self._labels, "annotations": annotations}
                        },
                    },
                    "data": [{"secretKey": key, "remoteRef": remote}],
                }
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[self._stores] if self._stores else None,
                custom_timeouts=pulumi.CustomTimeouts(create=_SYNC_TIMEOUT, update=_SYNC_TIMEOUT),
            ),
        )

    def _value(self, name: str, entry: SecretEntry, *, is_kept: bool = False) -> pulumi.Input[str]:
        if entry.value:
            return entry.value.get_secret_value()
        assert entry.generate  # noqa: S101  # one of the sources is set
        from pulumi_random import RandomPassword  # noqa: PLC0415  # only for a generated value

        generate = entry.generate
        return RandomPassword(
            name,
            length=generate.length,
            special=generate.special,
            keepers={"rotation": generate.rotation} if generate.rotation else None,
            opts=pulumi.ResourceOptions(
                parent=self, ignore_changes=["length", "special", "keepers"] if is_kept else None
            ),
        ).result

    def _revision_id(self, name: str, values: Mapping[str, str]) -> pulumi.Input[str] | None:
        """A random ID that is replaced when a value changes.

        A checksum in the pods' annotations would let a short secret be guessed.
        """
        if not values:
            return None
        from pulumi_random import RandomId  # noqa: PLC0415  # only for encrypted values

        opts = pulumi.ResourceOptions(parent=self)
        return RandomId(name, byte_length=8, keepers=pulumi.Output.secret(values), opts=opts).hex

    def _secret(
        self,
        name: str,
        secret_type: str,
        data: Mapping[str, pulumi.Input[str]],
        *,
        is_kept: bool = False,
    ) -> None:
        # Flagger's copy of a version's Secret lives as long as the primary runs the version.
        is_tracked = self._is_tracked or is_kept
        Secret(
            name,
            metadata=prune_none(
                {
                    "name": name,
                    "namespace": self._namespace,
                    "labels": self._labels,
                    "annotations": None if is_tracked else _NOT_TRACKED,
                }
            ),
            type=secret_type,
            data=secret_data(data),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["data"] if is_kept else None),
        )


def _revision(entry: SecretEntry) -> str | None:
    """Text that changes with the value. ``None``: the value is generated once."""
    if entry.value:
        return entry.value.get_secret_value()
    return entry.generate and entry.generate.rotation
