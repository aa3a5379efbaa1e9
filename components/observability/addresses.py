"""What each server is called and where it answers. Everything else derives from here."""

from dataclasses import dataclass

from components.network_peer import NetworkPeer


@dataclass(frozen=True)
class Address:
    """One port of a server. The server's name is that of its objects, and of its Service."""

    server: str
    port: int

    def host(self, namespace: str) -> str:
        """The name by which it is found from every namespace, with the port."""
        return f"{self.server}.{namespace}.svc:{self.port}"

    def url(self, namespace: str) -> str:
        """The same as a URL, without a slash at the end."""
        return f"http://{self.host(namespace)}"

    def peer(self, namespace: str, *ports: int) -> NetworkPeer:
        """The server's pods. Without ``ports``, the one of this address."""
        return NetworkPeer(
            namespace, ports or (self.port,), {"app.kubernetes.io/name": self.server}
        )


PROMETHEUS = Address("prometheus", 9090)
"""Queries, rules, targets."""
ALERTMANAGER = Address("alertmanager", 9093)
"""Alerts and silences."""
LOKI = Address("loki", 3100)
"""Queries; OTLP at ``/otlp``."""
JAEGER = Address("jaeger", 16686)
"""Traces: queries and the user interface."""
JAEGER_OTLP = Address("jaeger", 4317)
"""Traces in, OTLP over gRPC."""
JAEGER_METRICS = Address("jaeger", 8888)
"""Jaeger's own metrics."""
COLLECTOR = Address("collector", 4318)
"""Traces of the service in, OTLP over HTTP."""
COLLECTOR_GRPC = Address("collector", 4317)
"""The same over gRPC."""
COLLECTOR_METRICS = Address("collector", 8888)
"""The gateway's own metrics."""
AGENT_METRICS = Address("collector-agent", 8888)
"""The own metrics of the agent on each node; it runs in the node namespace."""
NODE_EXPORTER = Address("node-exporter", 9100)
"""Metrics of each node; it runs in the node namespace."""
KUBE_STATE_METRICS = Address("kube-state-metrics", 8080)
"""Metrics of the cluster's objects."""
KUBE_STATE_METRICS_OWN = Address("kube-state-metrics", 8081)
"""Its own metrics."""
GRAFANA = Address("grafana", 3000)
"""Dashboards."""
