"""The versions in ``versions.yaml``."""

from pathlib import Path

import yaml

_VERSIONS = yaml.safe_load((Path(__file__).parent.parent / "versions.yaml").read_text())

KUBERNETES: str = _VERSIONS["kubernetes"]
"""The minor whose Pod Security standard is enforced and whose schemas manifests satisfy."""
GATEWAY_API: str = _VERSIONS["gatewayApi"]
"""The release of the Gateway API whose HTTPRoute is written."""
PROMETHEUS_OPERATOR: str = _VERSIONS["prometheusOperator"]
"""The release of the Prometheus operator whose PodMonitor and PrometheusRule are written."""
IMAGES: dict[str, str] = _VERSIONS["images"]
"""The image of each server of the bundled observability, by a name of its own."""
