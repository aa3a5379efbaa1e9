"""A service of the stack, as monitoring sees it."""

from dataclasses import dataclass, field

from components.istio_sidecar import CONTAINER
from components.observability.queries import gate_window, selector
from components.observability.request_metrics import RequestMetrics, request_metrics_of
from components.observability.slo import Slo
from components.track_roles import TrackRoles
from settings import (
    REVISION_HASH_LENGTH,
    LogKeys,
    ObservabilitySettings,
    Service,
    ServiceAlert,
    ServiceMetrics,
    ServicePanel,
)

_POD_SUFFIX = "-[^-]+-[^-]+"
"""Hash of the ReplicaSet and of the pod."""
_KNATIVE_POD_SUFFIX = f"-[0-9a-f]{{{REVISION_HASH_LENGTH}}}-.+"
"""Hash of the revision, and more: Kubernetes truncates the rest in the name of a pod."""


@dataclass(frozen=True)
class MonitoredService:
    """Name, metrics, log keys and service level objective of a service."""

    name: str
    """Value of the pod label ``app.kubernetes.io/name`` and of the series' label ``service``."""
    namespace: str
    roles: TrackRoles
    """Pods of the tracks ``stable`` and ``canary``."""
    metrics: ServiceMetrics | None = None
    """Its own Prometheus metrics. ``None``: it has none."""
    metrics_port: int = 0
    """Container port of its metrics."""
    scraped_port: str | None = None
    """Name of this port in the pods."""
    requests: RequestMetrics | None = None
    """Source of its request metrics. ``None``: nothing measures its requests."""
    slo: Slo | None = None
    """Service level objective. ``None``: it has none."""
    log_keys: LogKeys = field(default_factory=LogKeys)
    gate_window: str | None = None
    """Range of the rates that the gates of a progressive release read. ``None``: it has none."""
    owner: str | None = None
    """Label of its alerts. ``None``: the default receivers are notified."""
    is_scaled_to_zero: bool = False
    """True if it has no pods without requests, and so no metrics of its own."""
    pod_suffix: str = _POD_SUFFIX
    """Regular expression for the end of a pod's name, after the name of the track's objects."""
    alerts: tuple[ServiceAlert, ...] = ()
    panels: tuple[ServicePanel, ...] = ()
    has_sidecar: bool = False
    """The pods have a sidecar of Istio, which adds its metrics to those of the service."""
    sidecars: tuple[str, ...] = ()
    """Names of the containers that run beside that of the service."""

    @classmethod
    def of(
        cls,
        service: Service,
        namespace: str,
        observability: ObservabilitySettings,
        *,
        has_sidecar: bool = False,
    ) -> "MonitoredService":
        """Monitoring of ``service``, which runs in ``namespace``."""
        requests = request_metrics_of(service, namespace, observability.proxy)
        return cls(
            name=service.name,
            namespace=namespace,
            roles=TrackRoles.of(service),
            metrics=service.metrics,
            metrics_port=service.ports[service.metrics.port] if service.metrics else 0,
            scraped_port=service.scraped_port,
            requests=requests,
            slo=Slo.of(service.slo, requests) if service.slo and requests else None,
            log_keys=service.logs.keys,
            gate_window=(
                gate_window(observability.metrics.scrape_interval_seconds)
                if service.release.strategy == "progressive"
                else None
            ),
            owner=service.owner,
            is_scaled_to_zero=service.min_replicas == 0,
            pod_suffix=_KNATIVE_POD_SUFFIX if service.is_knative else _POD_SUFFIX,
            alerts=service.alerts,
            panels=service.panels,
            has_sidecar=has_sidecar,
            sidecars=(
                *(one.name for one in service.sidecars),
                *([CONTAINER] if has_sidecar else []),
            ),
        )

    def selector(self, **labels: str | None) -> str:
        """Label matchers of the service's series, without braces."""
        return selector(self.namespace, self.name, **labels)
