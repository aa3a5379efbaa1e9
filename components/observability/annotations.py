"""Annotations of releases in Grafana."""

from collections.abc import Sequence


def release_tags(namespace: str, service: str) -> Sequence[str]:
    """Tags of the annotations of a service."""
    return ["release", f"namespace:{namespace}", f"service:{service}"]
