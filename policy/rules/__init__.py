"""Rules of the policy pack; importing this package declares them."""

from policy.rules import availability, certificates, containers, operations, pod_security, security

__all__ = ["availability", "certificates", "containers", "operations", "pod_security", "security"]
