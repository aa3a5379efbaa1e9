"""``slipway:secretStores``: servers that hold the values of secrets."""

from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from settings.errors import FieldError
from settings.one_of import one_of_errors
from settings.section import Section
from settings.string_formats import (
    AwsRegion,
    DnsLabel,
    HttpsUrl,
    PemCertificates,
    StringFormat,
    Url,
)

# The ServiceAccount of a store is `secret-store-<name>`.
StoreName = Annotated[
    str,
    StringFormat(
        "a DNS label: at most 40 of a-z, 0-9 and -, like team", r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", 40
    ),
]
_Id = Annotated[
    str,
    StringFormat(
        "letters, digits and any of ._@:/+=-, like shop",
        r"[A-Za-z0-9][A-Za-z0-9._@:/+=-]*",
        253,
    ),
]
_MountPath = Annotated[
    str,
    StringFormat(
        "a mount path, like secret or team/kv", r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", 253
    ),
]


class VaultStore(Section):
    """Key-value engine of Vault or OpenBao, with the auth method `kubernetes`."""

    server: Url
    """URL of the server."""
    role: _Id
    """Role of the auth method. It is bound to the ServiceAccount `secret-store-<name>`."""
    path: _MountPath = "secret"
    """Mount path of the engine."""
    version: Literal["v1", "v2"] = "v2"
    """Version of the engine."""
    auth_path: _MountPath = "kubernetes"
    """Mount path of the auth method."""
    ca_bundle: PemCertificates | None = None
    """CAs that the server's certificate is verified with, in PEM. Default: public CAs."""
    insecure: bool = False
    """Allows `http` for a server outside the cluster. The values and the token of the
    ServiceAccount are then sent unencrypted."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        url = urlsplit(self.server)
        if url.scheme == "http" and not self.insecure and not _is_service(url.hostname or ""):
            allowed = "an https URL, or that of a Service of the cluster, like http://vault.vault.svc:8200"
            yield FieldError("server", self.server, allowed)


class AwsStore(Section):
    """Secrets Manager or Parameter Store of AWS. The IAM role of the ServiceAccount is used."""

    region: AwsRegion
    """Region, like eu-central-1."""
    role: _Id
    """ARN of the IAM role."""
    service: Literal["SecretsManager", "ParameterStore"] = "SecretsManager"
    """Service of AWS."""


class GcpStore(Section):
    """Secret Manager of Google Cloud, with Workload Identity Federation for GKE."""

    project: _Id
    """ID of the project."""
    service_account: _Id
    """Email address of the IAM service account."""


class AzureStore(Section):
    """Key Vault of Azure, with Microsoft Entra Workload ID."""

    vault_url: HttpsUrl
    """URL of the vault."""
    tenant_id: _Id
    """ID of the tenant."""
    client_id: _Id
    """ID of the application or of the managed identity."""


class KubernetesStore(Section):
    """Secrets of another namespace of the cluster.

    A Role and a RoleBinding there allow the ServiceAccount `secret-store-<name>` to get them.
    """

    namespace: DnsLabel
    """Namespace of the Secrets."""


_PROVIDERS = ("vault", "aws", "gcp", "azure", "kubernetes")


class SecretStore(Section):
    """Server with values of secrets: one of the keys.

    External Secrets authenticates as the ServiceAccount `secret-store-<name>` of the namespace.
    """

    vault: VaultStore | None = None
    aws: AwsStore | None = None
    gcp: GcpStore | None = None
    azure: AzureStore | None = None
    kubernetes: KubernetesStore | None = None

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from one_of_errors(self, _PROVIDERS)


def _is_service(host: str) -> bool:
    """True for the DNS name of a Service: ``vault``, ``vault.team.svc`` or a longer one."""
    match host.rstrip(".").split("."):
        case [_] | [_, _, "svc", *_]:
            return True
    return False


SecretStores = Annotated[dict[StoreName, SecretStore], Field(max_length=20)]
"""Stores by name."""
