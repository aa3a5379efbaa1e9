"""Fields of cert-manager's objects."""

from typing import Any

CERT_MANAGER_API = "cert-manager.io/v1"


def issuer_ref(name: str, kind: str = "Issuer") -> dict[str, Any]:
    """Reference of a Certificate to its issuer."""
    return {"group": "cert-manager.io", "kind": kind, "name": name}


def hours(number: int) -> str:
    """Duration as cert-manager writes it."""
    return f"{number}h0m0s"
