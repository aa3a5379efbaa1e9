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
    Track,
)

_MAX_GENERATE_NAME = 58
"""Length to which Kubernetes truncates `generateName`, before it appends five characters."""
_HASH_CHARACTER = "[b-df-hj-np-tv-xz24-9]"
"""Character of a `pod-template-hash` and of the end of a generated name: no vowel, no hyphen."""


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
    is_knative: bool = False
    """Knative creates the Deployments of its revisions."""
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
            is_knative=service.is_knative,
            alerts=service.alerts,
            panels=service.panels,
            has_sidecar=has_sidecar,
            sidecars=(
                *(one.name for one in service.sidecars),
                *([CONTAINER] if has_sidecar else []),
            ),
        )

    def pod_pattern(self, track: Track) -> str:
        """Regular expression of the names of a role's pods."""
        deployment = self.roles.deployments[track]
        if self.is_knative:
            # Kubernetes may truncate what follows the hash of the revision.
            return f"{deployment}-[0-9a-f]{{{REVISION_HASH_LENGTH}}}-.+"
        # The name of Flagger's primary begins with that of the Deployment that it copies: its pods
        # differ by the vowels of `primary`.
        prefix = f"{deployment}-"[:_MAX_GENERATE_NAME]
        return f"{prefix}{_HASH_CHARACTER}*-?{_HASH_CHARACTER}{{5}}"

    def selector(self, **labels: str | None) -> str:
        """Label matchers of the service's series, without braces."""
        return selector(self.namespace, self.name, **labels)
