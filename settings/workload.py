"""``workload`` of a service."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.autoscaling import Replicas
from settings.edge import EdgeSettings
from settings.errors import FieldError
from settings.knative import KnativeSettings
from settings.quantities import IntOrPercent, Memory, scaled_value
from settings.resources import ResourceList, ResourceRequirements
from settings.section import Section
from settings.string_formats import LabelKey, LabelValue


class PodResources(ResourceRequirements):
    """Resource requests and limits of a pod. `GOMAXPROCS` and `GOMEMLIMIT` follow the limits.

    With `workload.edge`, the default is 50m and 64Mi of requests, and 250m and 128Mi of limits.
    """

    requests: ResourceList = ResourceList(cpu="200m", memory="256Mi")
    """Resources reserved for the pod. CPU and memory utilization are percentages of them."""
    limits: ResourceList = ResourceList(cpu="500m", memory="512Mi")
    """Maximum resources the pod may use."""


class Rollout(Section):
    """Rolling update of a Deployment."""

    max_surge: IntOrPercent = 1
    """Maximum number of pods above the desired number, rounded up."""
    max_unavailable: IntOrPercent = 1
    """Maximum number of unavailable pods, rounded down."""
    min_ready_seconds: Annotated[int, Field(ge=0, le=600)] = 0
    """Seconds a new pod must be ready before it is available."""
    revision_history_limit: Annotated[int, Field(ge=0, le=100)] = 10
    """Number of old ReplicaSets kept for `kubectl rollout undo`."""
    progress_deadline_seconds: Annotated[int, Field(ge=1, le=3600)] = 300
    """Seconds without progress after which a rollout has failed. More than `minReadySeconds`."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if scaled_value(self.max_surge, 1) == scaled_value(self.max_unavailable, 1) == 0:
            allowed = "at least 1 if maxUnavailable is 0"
            yield FieldError("maxSurge", self.max_surge, allowed)
        if self.progress_deadline_seconds <= self.min_ready_seconds:
            allowed = f"more than minReadySeconds, which is {self.min_ready_seconds}"
            yield FieldError("progressDeadlineSeconds", self.progress_deadline_seconds, allowed)


class NodeAffinity(Section):
    """Labels of the nodes for the pods."""

    required: dict[LabelKey, LabelValue] = {"kubernetes.io/os": "linux"}
    """Required node labels."""
    preferred: dict[LabelKey, LabelValue] = {"disktype": "ssd"}
    """Preferred node labels, each with weight 1."""


class TopologySpread(Section):
    """Topology spread constraints for the pods of each version, with a maximum skew of 1."""

    topology_keys: Annotated[tuple[LabelKey, ...], Field(strict=False, max_length=4)] = (
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    )
    """Node labels, one constraint for each."""
    when_unsatisfiable: Literal["ScheduleAnyway", "DoNotSchedule"] = "ScheduleAnyway"
    """Scheduling of a pod that does not satisfy a constraint."""


class Toleration(Section):
    """Toleration for a taint."""

    key: LabelKey
    """Taint key."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """`Exists` tolerates any value of the taint."""
    value: LabelValue = ""
    """Taint value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
    """Taint effect."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.operator == "Exists" and self.value:
            yield FieldError("value", self.value, "no value with operator Exists")


class Scheduling(Section):
    """Scheduling of the pods."""

    node_affinity: NodeAffinity = NodeAffinity.model_construct()
    topology_spread: TopologySpread = TopologySpread.model_construct()
    tolerations: Annotated[tuple[Toleration, ...], Field(strict=False, max_length=20)] = ()
    """Tolerations for taints."""


class WorkloadSettings(Section):
    """Pods of each version."""

    kind: Literal["deployment", "knative"] = "deployment"
    """`knative` creates a Knative Service, which Knative Serving scales, also to zero."""
    replicas: Replicas = 3
    """Number of replicas if autoscaling is disabled."""
    resources: PodResources = PodResources.model_construct()
    rollout: Rollout = Rollout.model_construct()
    scheduling: Scheduling = Scheduling.model_construct()
    knative: KnativeSettings = KnativeSettings.model_construct()
    edge: EdgeSettings | None = None
    """Placement on edge nodes that may be offline. Default: none, the pods run on any node."""
    termination_grace_period_seconds: Annotated[int, Field(ge=1, le=900)] = 30
    """Seconds from the begin of the termination, with `preStopSleepSeconds`, to SIGKILL."""
    pre_stop_sleep_seconds: Annotated[int, Field(ge=0, le=600)] = 5
    """Seconds before SIGTERM in which proxies stop sending requests. 0: the service drains itself.
    """
    ephemeral_storage: Memory = "64Mi"
    """Size limit of /tmp. The rest of the file system is read-only."""
