"""Issuers of the stack's certificates."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.labels import CA, Identity
from settings import Service

if TYPE_CHECKING:
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

CERT_MANAGER_API = "cert-manager.io/v1"
_SELF_SIGNED = "slipway-self-signed"
_CA_HOURS = 10 * 365 * 24
"""Lifetime of the CA's certificate. Clients have to trust a new one after it."""
_CA_RENEW_HOURS = 365 * 24
_READY: "dict[str, str]" = {"pulumi.com/waitFor": "condition=Ready"}

Json = dict[str, Any]


class IssuersArgs(TypedDict):
    """Arguments of :class:`Issuers`."""

    namespace: str
    """Namespace of the Issuers, and of the certificates that they issue."""
    services: Sequence[Service]
    """Services whose certificates Issuers of the stack issue."""


class Issuers(pulumi.ComponentResource):
    """Certificate authority of the stack's own: its certificate, and the Issuer that uses it.

    The private key is kept when the CA's certificate is renewed.
    """

    def __init__(
        self, name: str, args: IssuersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Issuers", name, None, opts)
        self._name = name
        self._namespace = args["namespace"]
        self_signed = self._issuer(_SELF_SIGNED, {"selfSigned": {}})
        certificate = CustomResource(
            f"{name}-{CA}-certificate",
            api_version=CERT_MANAGER_API,
            kind="Certificate",
            metadata=self._metadata(CA),
            spec={
                "isCA": True,
                "commonName": self._namespace,
                "subject": {"organizations": ["Slipway"]},
                "secretName": CA,
                "duration": hours(_CA_HOURS),
                "renewBefore": hours(_CA_RENEW_HOURS),
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"},
                "issuerRef": issuer_ref(_SELF_SIGNED),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self_signed]),
        )
        self._issuer(CA, {"ca": {"secretName": CA}}, certificate)
        self.register_outputs({})

    @classmethod
    def of(
        cls, name: str, args: IssuersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> "Issuers | None":
        """Issuers for the services. ``None``: there are none."""
        return cls(name, args, opts) if args["services"] else None

    def _issuer(self, name: str, spec: Json, *depends_on: pulumi.Resource) -> CustomResource:
        return CustomResource(
            f"{self._name}-{name}",
            api_version=CERT_MANAGER_API,
            kind="Issuer",
            metadata=self._metadata(name),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
        )

    def _metadata(self, name: str) -> "ObjectMetaArgsDict":
        return {
            "name": name,
            "namespace": self._namespace,
            "labels": Identity(CA, self._namespace).labels,
            "annotations": _READY,
        }


def issuer_ref(name: str, kind: str = "Issuer") -> Json:
    """Reference of a Certificate to its issuer."""
    return {"group": "cert-manager.io", "kind": kind, "name": name}


def hours(number: int) -> str:
    """Duration as cert-manager writes it."""
    return f"{number}h0m0s"
