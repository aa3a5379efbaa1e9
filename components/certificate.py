"""Fields of cert-manager's objects."""

from typing import Any

import pulumi

CERT_MANAGER_API = "cert-manager.io/v1"
READY = {"pulumi.com/waitFor": "condition=Ready"}
"""Annotation with which an update waits until the object is ready."""
ISSUANCE_TIMEOUTS = pulumi.CustomTimeouts(create="5m", update="5m")
"""Timeouts of Certificates and Issuers. cert-manager reports errors before them."""


def issuer_ref(name: str, kind: str = "Issuer") -> dict[str, Any]:
    """Reference of a Certificate to its issuer."""
    return {"group": "cert-manager.io", "kind": kind, "name": name}


def hours(number: int) -> str:
    """Duration as cert-manager writes it."""
    return f"{number}h0m0s"
