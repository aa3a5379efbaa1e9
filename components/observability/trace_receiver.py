"""Where the service sends its spans."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from components.labels import Labels
from components.observability.addresses import COLLECTOR, port_of
from settings import Settings

_SHORTEST = 2
"""Labels of the shortest name that leads into another namespace: Service and namespace."""


@dataclass(frozen=True)
class TraceReceiver:
    """An OTLP/HTTP receiver, and what a network policy has to let through to it."""

    url: str
    namespace: str | None = None
    """``None``: it is outside the cluster, or its name does not tell."""
    pods: Labels = field(default_factory=dict)
    """The labels of its pods. Empty: not known."""

    @classmethod
    def of(cls, settings: Settings) -> "TraceReceiver | None":
        """The stack's. ``None``: it traces nothing."""
        observability = settings.observability
        match observability.mode:
            case "bundled":
                namespace = settings.network.monitoring_namespace
                pods = {"app.kubernetes.io/name": COLLECTOR.server}
                return cls(COLLECTOR.url(namespace), namespace, pods)
            case "operator" if url := observability.operator.collector:
                return cls(url.rstrip("/"), _namespace_in(url))
        return None

    @property
    def port(self) -> int:
        """The port that is connected to."""
        return port_of(self.url)


def _namespace_in(url: str) -> str | None:
    labels = (urlsplit(url).hostname or "").split(".")
    is_service = len(labels) == _SHORTEST or labels[_SHORTEST : _SHORTEST + 1] == ["svc"]
    return labels[1] if is_service else None
