"""Where the service sends its spans."""

from dataclasses import dataclass

from components.network_peer import NetworkPeer, peers_for_url
from components.observability.addresses import COLLECTOR
from settings import Network, ObservabilitySettings


@dataclass(frozen=True)
class TraceReceiver:
    """An OTLP/HTTP receiver."""

    url: str
    peers: tuple[NetworkPeer, ...]
    """Who answers, as far as the URL tells."""

    @classmethod
    def of(
        cls, observability: ObservabilitySettings, network: Network, namespace: str
    ) -> "TraceReceiver | None":
        """Return the receiver for a service in ``namespace``, or ``None`` without tracing."""
        match observability.mode:
            case "bundled":
                monitoring = network.monitoring_namespace
                return cls(COLLECTOR.url(monitoring), (COLLECTOR.peer(monitoring),))
            case "operator" if url := observability.operator.otlp_endpoint:
                return cls(url.rstrip("/"), peers_for_url(url, namespace))
        return None
