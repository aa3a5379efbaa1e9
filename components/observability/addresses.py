"""Names and ports of the monitoring servers."""

from dataclasses import dataclass

from components.labels import CERT_MANAGER
from components.network_peer import NetworkPeer
from settings import EXTERNAL_SECRETS


@dataclass(frozen=True)
class Address:
    """Port of a server."""

    server: str
    """Name of the server, its Service and its other objects."""
    port: int

    def host(self, namespace: str) -> str:
        """Cluster DNS name and port."""
        return f"{self.server}.{namespace}.svc:{self.port}"

    def url(self, namespace: str) -> str:
        """URL without a trailing slash."""
        return f"http://{self.host(namespace)}"

    def peer(self, namespace: str, *ports: int | str) -> NetworkPeer:
        """NetworkPolicy peer of the server's pods. Default ``ports``: that of this address.

        The Prometheus operator gives its pods the same label ``app.kubernetes.io/name``.
        """
        return NetworkPeer(
            namespace, ports or (self.port,), {"app.kubernetes.io/name": self.server}
        )


PROMETHEUS = Address("prometheus", 9090)
"""API and user interface."""
ALERTMANAGER = Address("alertmanager", 9093)
"""API and user interface."""
LOKI = Address("loki", 3100)
"""API; OTLP at ``/otlp``."""
JAEGER = Address("jaeger", 16686)
"""API and user interface."""
JAEGER_OTLP = Address("jaeger", 4317)
"""OTLP/gRPC."""
JAEGER_METRICS = Address("jaeger", 8888)
"""Metrics of Jaeger itself."""
COLLECTOR = Address("collector", 4318)
"""OTLP/HTTP for the service's traces."""
COLLECTOR_GRPC = Address("collector", 4317)
"""OTLP/gRPC."""
COLLECTOR_METRICS = Address("collector", 8888)
"""Metrics of the gateway itself."""
AGENT_METRICS = Address("collector-agent", 8888)
"""Metrics of the agent on each node, in the node namespace."""
LOG_CONSUMER_METRICS = Address("log-consumer", 8888)
"""Metrics of the collector that reads log lines from Kafka."""
NODE_EXPORTER = Address("node-exporter", 9100)
"""Metrics of each node, in the node namespace."""
KUBE_STATE_METRICS = Address("kube-state-metrics", 8080)
"""Metrics of the cluster's objects."""
KUBE_STATE_METRICS_OWN = Address("kube-state-metrics", 8081)
"""Metrics of kube-state-metrics itself."""
EXTERNAL_SECRETS_METRICS = Address(EXTERNAL_SECRETS, 8080)
"""Metrics of External Secrets, in the namespace of a stack."""
CERT_MANAGER_METRICS = Address(CERT_MANAGER, 9402)
"""Metrics of cert-manager, in a namespace of its own."""
LOAD_TESTER = Address("flagger-loadtester", 9090)
"""Answers for manual gates of releases, and sends requests to a new version."""
GRAFANA = Address("grafana", 3000)
"""API and user interface."""
