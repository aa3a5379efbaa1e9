"""Sidecar of Istio: labels and annotations that inject it, its ports and connections."""

import json
from dataclasses import dataclass

from components.labels import Labels
from components.network_peer import NetworkPeer
from settings import IstioSettings, Service

METRICS_PORT = 15020
"""Port with the metrics of the sidecar and of the container, which is not intercepted."""
METRICS_PATH = "/stats/prometheus"
PROXY_METRICS_PORT = 15090
"""Container port that every sidecar declares."""
INJECTION_LABEL = "sidecar.istio.io/inject"
"""Label of a pod that gets a sidecar."""
CONTAINER = "istio-proxy"
"""Name of the sidecar's container."""
_ISTIOD_PORT = 15012
_REQUEST_METRICS = r"cluster\.inbound.*\.upstream_rq_([0-9]{3}|time)"
"""Statistics of Envoy about the requests to the container. By default the sidecar has none."""


@dataclass(frozen=True)
class IstioSidecar:
    """Sidecar of a pod, which istiod injects."""

    settings: IstioSettings
    has_request_metrics: bool = False
    """Its metrics are those of the requests to the service."""

    @property
    def labels(self) -> Labels:
        """Labels of the pod. The namespace needs none: other pods have no sidecar."""
        revision = {"istio.io/rev": self.settings.revision} if self.settings.revision else {}
        return {INJECTION_LABEL: "true", **revision}

    @property
    def annotations(self) -> dict[str, str]:
        """Annotations of the pod."""
        resources = self.settings.sidecar_resources
        return {
            # It starts before the other containers and ends after them, also in a Job.
            "sidecar.istio.io/nativeSidecar": "true",
            "sidecar.istio.io/proxyCPU": resources.requests.cpu,
            "sidecar.istio.io/proxyMemory": resources.requests.memory,
            "sidecar.istio.io/proxyCPULimit": resources.limits.cpu,
            "sidecar.istio.io/proxyMemoryLimit": resources.limits.memory,
        }

    def service_annotations(self, service: Service) -> dict[str, str]:
        """Annotations of a pod of ``service``, whose metrics the sidecar adds to its own."""
        annotations, metrics = self.annotations, service.metrics
        if self.has_request_metrics:
            matcher = {"proxyStatsMatcher": {"inclusionRegexps": [_REQUEST_METRICS]}}
            annotations["proxy.istio.io/config"] = json.dumps(matcher)
        if metrics is None:
            return annotations
        return {
            **annotations,
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(service.ports[metrics.port]),
            "prometheus.io/path": metrics.path,
        }

    @property
    def istiod(self) -> NetworkPeer:
        """Peer for istiod, which gives the sidecar its configuration and certificate."""
        return NetworkPeer(self.settings.namespace, (_ISTIOD_PORT,), {"app": "istiod"})
