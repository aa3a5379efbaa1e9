"""A service of the stack, as monitoring sees it."""

from dataclasses import dataclass

from components.observability.slo import Slo
from settings import Service


@dataclass(frozen=True)
class MonitoredService:
    """Name, metrics and service level objective of a service."""

    name: str
    """Value of the pod label ``app.kubernetes.io/name`` and of the series' label ``service``."""
    namespace: str
    metrics_port: int | None
    """Container port of its Prometheus metrics. ``None``: it has none."""
    metrics_port_name: str | None
    """Name of that port."""
    slo: Slo

    @classmethod
    def of(cls, service: Service, namespace: str) -> "MonitoredService":
        """Monitoring of ``service``, which runs in ``namespace``."""
        return cls(
            name=service.name,
            namespace=namespace,
            metrics_port_name=service.metrics_port,
            metrics_port=service.ports[service.metrics_port] if service.metrics_port else None,
            slo=Slo(service.name, namespace, service.slo),
        )
