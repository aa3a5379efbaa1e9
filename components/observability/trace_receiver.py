"""OTLP receiver of the service's traces."""

from dataclasses import dataclass

from components.network_peer import NetworkPeer, peers_for_url
from components.observability.addresses import COLLECTOR
from settings import Network, ObservabilitySettings


@dataclass(frozen=True)
class TraceReceiver:
    """OTLP/HTTP receiver."""

    url: str
    peers: tuple[NetworkPeer, ...]
    """Peers of the receiver, derived from its URL."""

    @classmethod
    def of(
        cls, settings: ObservabilitySettings, network: Network, namespace: str
    ) -> "TraceReceiver | None":
        """Receiver for a service in ``namespace``. ``None``: no tracing."""
        match settings.mode:
            case "bundled":
                monitoring = network.monitoring_namespace
                return cls(COLLECTOR.url(monitoring), (COLLECTOR.peer(monitoring),))
            case "operator" if url := settings.operator.otlp_endpoint:
                return cls(url.rstrip("/"), peers_for_url(url, namespace))
        return None
