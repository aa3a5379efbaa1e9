"""Annotations of releases in Grafana."""

from collections.abc import Sequence

RELEASE = "release"
"""Tag of every annotation of a release."""


def release_tags(namespace: str, service: str | None = None) -> Sequence[str]:
    """Tags of the annotations of a service, or of all services in a namespace."""
    tags = [RELEASE, f"namespace:{namespace}"]
    return [*tags, f"service:{service}"] if service else tags
