"""``autoscaling`` of a service."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from settings.errors import FieldError
from settings.section import Section
from settings.string_formats import MetricName

Replicas = Annotated[int, Field(ge=1, le=1000)]


class PodMetric(Section):
    """Pod metric from a custom metrics adapter."""

    name: MetricName
    """Metric name."""
    average_value: Annotated[int, Field(ge=1, le=1_000_000_000)]
    """Target value, averaged over all pods."""


class Autoscaling(Section):
    """HorizontalPodAutoscaler of each version."""

    enabled: bool = True
    """Enables autoscaling. If false, the number of replicas is `workload.replicas`. With
    `workload.edge`, it is false."""
    min_replicas: Replicas = 3
    """Minimum number of replicas."""
    max_replicas: Replicas = 10
    """Maximum number of replicas. They must fit into `namespace.resourceQuota`."""
    start_replicas: Annotated[Replicas | None, Field(repr=False)] = None
    """Number of replicas that a new Deployment starts with. Default: `minReplicas`."""
    target_cpu: Annotated[int, Field(alias="targetCPU", ge=1, le=100)] = 70
    """Target average CPU utilization, percent of the request."""
    target_memory: Annotated[int, Field(ge=1, le=100)] | None = None
    """Target average memory utilization, percent of the request. Default: none."""
    pod_metrics: Annotated[tuple[PodMetric, ...], Field(strict=False, max_length=10)] = ()
    """Further metrics. The metric that needs the most replicas determines their number."""
    scale_up_stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """Stabilization window for scaling up, in seconds."""
    scale_down_stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)] = 300
    """Stabilization window for scaling down, in seconds."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.min_replicas > self.max_replicas:
            allowed = f"at most maxReplicas, which is {self.max_replicas}"
            yield FieldError("minReplicas", self.min_replicas, allowed)
        start = self.start_replicas
        if start is not None and not self.min_replicas <= start <= self.max_replicas:
            allowed = f"from minReplicas, {self.min_replicas}, to maxReplicas, {self.max_replicas}"
            yield FieldError("startReplicas", start, allowed)
