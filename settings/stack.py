"""Root model of a stack's configuration, with the checks across sections."""

from collections.abc import Iterator
from itertools import combinations, product
from typing import TYPE_CHECKING

from settings.autoscaling import Autoscaling
from settings.cluster import Cluster
from settings.config import ServiceConfig
from settings.errors import FieldError
from settings.image import ImageSettings
from settings.namespace import NamespaceSettings
from settings.network import Network
from settings.observability import ObservabilitySettings
from settings.pod_disruption_budget import PodDisruptionBudgetSettings
from settings.quantities import (
    duration_seconds,
    format_mebibytes,
    parse_quantity,
    scaled_value,
)
from settings.release import ReleaseSettings
from settings.routing import RoutingSettings
from settings.section import Section
from settings.service import Service
from settings.slo import SloSettings
from settings.string_formats import OWN_NAMESPACE
from settings.workload import WorkloadSettings

if TYPE_CHECKING:
    from settings.resources import ResourceList

_PPROF_PORT = 6060


class Settings(Section):
    """Configuration of a stack."""

    service: Service = Service()
    cluster: Cluster = Cluster()
    namespace: NamespaceSettings
    image: ImageSettings
    release: ReleaseSettings
    workload: WorkloadSettings = WorkloadSettings()
    autoscaling: Autoscaling = Autoscaling()
    pod_disruption_budget: PodDisruptionBudgetSettings = PodDisruptionBudgetSettings()
    config: ServiceConfig = ServiceConfig()
    network: Network = Network()
    routing: RoutingSettings
    observability: ObservabilitySettings = ObservabilitySettings()
    slo: SloSettings = SloSettings()

    @property
    def namespaces(self) -> dict[str, str]:
        """Namespaces that the stack creates and deletes: names by key."""
        created = {"namespace.name": self.namespace.name}
        if self.observability.mode == "bundled":
            created["network.monitoringNamespace"] = self.network.monitoring_namespace
            created["observability.nodeNamespace"] = self.observability.node_namespace
        return created

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from self.workload.resources.limits.errors_above(
            self.namespace.limit_range.max, "workload.resources.limits", "namespace.limitRange.max"
        )
        yield from self._namespace_errors()
        yield from self._disruption_errors()
        yield from self._shutdown_errors()
        yield from self._port_errors()
        yield from self._quota_errors()
        yield from self._observability_errors()

    def _namespace_errors(self) -> Iterator[FieldError]:
        node = self.observability.node_namespace
        own = {**self.namespaces, "observability.nodeNamespace": node}
        others = {
            "network.proxyNamespace": self.network.proxy_namespace,
            "routing.gateway.namespace": self.routing.gateway.namespace,
        }
        key, monitoring = "network.monitoringNamespace", self.network.monitoring_namespace
        if key not in own:
            others[key] = monitoring
        elif not OWN_NAMESPACE.matches(monitoring):
            reason = "the stack creates it with observability.mode bundled"
            yield FieldError(key, monitoring, f"{OWN_NAMESPACE.allowed}; {reason}")
        pairs = (*combinations(own.items(), 2), *product(own.items(), others.items()))
        for (own_key, name), (other_key, other_name) in pairs:
            if name == other_name:
                yield FieldError(own_key, name, f"another namespace than {other_key}")

    def _disruption_errors(self) -> Iterator[FieldError]:
        key, pods = "podDisruptionBudget.maxUnavailable", self._min_replicas
        value = self.pod_disruption_budget.max_unavailable
        unavailable = scaled_value(value, pods)
        if unavailable == 0:
            yield FieldError(key, value, "at least 1, or no node can be drained")
        elif unavailable >= pods > 1:
            yield FieldError(key, value, f"less than the minimum number of replicas, {pods}")

    def _shutdown_errors(self) -> Iterator[FieldError]:
        config, grace_period = self.config, self.workload.termination_grace_period_seconds
        shutdown = duration_seconds(config.drain) + duration_seconds(config.timeouts.shutdown)
        if grace_period <= shutdown:
            yield FieldError(
                "workload.terminationGracePeriodSeconds",
                grace_period,
                f"more than config.drain plus config.timeouts.shutdown, which are {shutdown:g} s",
            )

    def _port_errors(self) -> Iterator[FieldError]:
        ports = {"service.port": self.service.port, "service.adminPort": self.service.admin_port}
        for key, port in ports.items():
            if self.config.profiling and port == _PPROF_PORT:
                yield FieldError(key, port, "another port than pprof's, or config.profiling false")

    def _quota_errors(self) -> Iterator[FieldError]:
        quota, resources = self.namespace.resource_quota, self.workload.resources
        tracks = 2 if self.release.strategy == "canary" else 1
        replicas = self._max_replicas
        pods = tracks * (replicas + scaled_value(self.workload.rollout.max_surge, replicas))
        reason = f"for the {pods} pods of a rollout at maximum replicas"
        if quota.pods < pods:
            yield FieldError(
                "namespace.resourceQuota.pods", quota.pods, f"at least {pods}, {reason}"
            )
        for part in ("requests", "limits"):
            total: ResourceList = getattr(quota, part)
            pod: ResourceList = getattr(resources, part)
            cpu, memory = pods * parse_quantity(pod.cpu), pods * parse_quantity(pod.memory)
            if parse_quantity(total.cpu) < cpu:
                key = f"namespace.resourceQuota.{part}.cpu"
                yield FieldError(key, total.cpu, f"at least {cpu.normalize():f}, {reason}")
            if parse_quantity(total.memory) < memory:
                key = f"namespace.resourceQuota.{part}.memory"
                allowed = f"at least {format_mebibytes(memory)}, {reason}"
                yield FieldError(key, total.memory, allowed)

    def _observability_errors(self) -> Iterator[FieldError]:
        observability = self.observability
        has_slo = bool(self.slo.model_fields_set)
        if has_slo and observability.mode == "off":
            allowed = '"bundled" or "operator": slo is set and needs metrics'
            yield FieldError("observability.mode", observability.mode, allowed)
        if has_slo and not self.service.metrics:
            allowed = "true: slo is set and needs metrics"
            yield FieldError("service.metrics", self.service.metrics, allowed)
        retention, window = observability.metrics.retention_days, self.slo.window_days
        if observability.mode == "bundled" and self.service.metrics and retention < window:
            allowed = f"at least slo.windowDays, which is {window}"
            yield FieldError("observability.metrics.retentionDays", retention, allowed)

    @property
    def _min_replicas(self) -> int:
        scaling = self.autoscaling
        return scaling.min_replicas if scaling.enabled else self.workload.replicas

    @property
    def _max_replicas(self) -> int:
        scaling = self.autoscaling
        return scaling.max_replicas if scaling.enabled else self.workload.replicas
