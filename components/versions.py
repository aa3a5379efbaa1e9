"""Third-party versions from ``versions.yaml``."""

from pathlib import Path

import yaml

_VERSIONS = yaml.safe_load((Path(__file__).parent.parent / "versions.yaml").read_text())

KUBERNETES: str = _VERSIONS["kubernetes"]
"""Minor version of the Pod Security Standard and of the schemas that validate manifests."""
GATEWAY_API: str = _VERSIONS["gatewayApi"]
"""Gateway API release of the HTTPRoute CRD."""
PROMETHEUS_OPERATOR: str = _VERSIONS["prometheusOperator"]
"""Prometheus Operator release of the PodMonitor and PrometheusRule CRDs."""
IMAGES: dict[str, str] = _VERSIONS["images"]
"""Images of the bundled observability servers, by server name."""
