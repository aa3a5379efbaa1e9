"""The rules; importing this package declares them all."""

from policy.rules import access, availability, images, ownership, pod_security, production, running

__all__ = [
    "access",
    "availability",
    "images",
    "ownership",
    "pod_security",
    "production",
    "running",
]
