"""Third-party versions from ``versions.yaml``."""

import os
from pathlib import Path

import yaml

_VERSIONS = yaml.safe_load((Path(__file__).parent.parent / "versions.yaml").read_text())

KUBERNETES: str = _VERSIONS["kubernetes"]
"""Minor version of the Pod Security Standard and of the schemas that validate manifests."""
GATEWAY_API: str = _VERSIONS["gatewayApi"]
"""Gateway API release of the HTTPRoute CRD."""
PROMETHEUS_OPERATOR: str = _VERSIONS["prometheusOperator"]
"""Prometheus Operator release of the PodMonitor and PrometheusRule CRDs."""
_IMAGES: dict[str, str] = _VERSIONS["images"]
IMAGE_NAMES = tuple(_IMAGES)
"""Names of the servers and controllers that have an image."""


def server_image(name: str) -> str:
    """Image of a server or controller, by its name in ``versions.yaml``.

    With the environment variable ``SLIPWAY_IMAGES_BY_TAG`` it has no digest: the images that a bare
    machine builds have others.
    """
    image = _IMAGES[name]
    return image.partition("@")[0] if os.environ.get("SLIPWAY_IMAGES_BY_TAG") else image
