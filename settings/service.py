"""A service: an entry of ``slipway:services``."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, PrivateAttr

from settings.autoscaling import Autoscaling
from settings.config import ServiceConfig
from settings.errors import MISSING, FieldError
from settings.image import ImageSettings
from settings.pod_disruption_budget import PodDisruptionBudgetSettings
from settings.project import project_name
from settings.quantities import duration_seconds, scaled_value
from settings.release import ReleaseSettings
from settings.routing import RoutingSettings
from settings.secret import SecretToken
from settings.section import Section
from settings.slo import SloSettings
from settings.string_formats import SourcePath
from settings.workload import WorkloadSettings

Port = Annotated[int, Field(ge=1024, le=65535)]

_PPROF_PORT = 6060


class Service(Section):
    """A service: its source, release, pods and routing."""

    source: SourcePath | None = None
    """Folder of the source code, relative to the project. Not needed if no version is built."""
    image: ImageSettings = ImageSettings()
    release: ReleaseSettings
    port: Port = 8080
    """Container port for requests."""
    admin_port: Port = 9090
    """Container port for administration and metrics; not routed from outside the cluster."""
    admin_token: SecretToken | None = None
    """Bearer token for fault injection on the admin port. Generated if omitted."""
    metrics: bool = True
    """True if the admin port serves Prometheus metrics at `/metrics`."""
    config: ServiceConfig = ServiceConfig()
    workload: WorkloadSettings = WorkloadSettings()
    autoscaling: Autoscaling = Autoscaling()
    pod_disruption_budget: PodDisruptionBudgetSettings = PodDisruptionBudgetSettings()
    routing: RoutingSettings
    slo: SloSettings = SloSettings()

    _name: str = PrivateAttr("")

    @property
    def name(self) -> str:
        """Key of the service in ``slipway:services``: the prefix of its objects' names."""
        return self._name

    def set_name(self, name: str) -> None:
        """Set :attr:`name`; called once, by the model of the stack."""
        self._name = name

    @property
    def repository(self) -> str:
        """Repository of the image in the registry."""
        return self.image.repository or f"{project_name().lower()}/{self.name}"

    @property
    def min_replicas(self) -> int:
        """Minimum number of replicas of a track."""
        scaling = self.autoscaling
        return scaling.min_replicas if scaling.enabled else self.workload.replicas

    @property
    def max_replicas(self) -> int:
        """Maximum number of replicas of a track."""
        scaling = self.autoscaling
        return scaling.max_replicas if scaling.enabled else self.workload.replicas

    @property
    def max_pods(self) -> int:
        """Maximum number of pods: rollouts of all tracks at maximum replicas."""
        tracks = 2 if self.release.strategy == "canary" else 1
        replicas = self.max_replicas
        return tracks * (replicas + scaled_value(self.workload.rollout.max_surge, replicas))

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.source is None and self.release.built:
            allowed = "the folder of the source code, or add the digest of each version"
            yield FieldError("source", MISSING, allowed)
        yield from self._disruption_errors()
        yield from self._shutdown_errors()
        yield from self._port_errors()

    def _disruption_errors(self) -> Iterator[FieldError]:
        key, pods = "podDisruptionBudget.maxUnavailable", self.min_replicas
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
        if self.port == self.admin_port:
            yield FieldError("adminPort", self.admin_port, "another port than port's")
        for key, port in {"port": self.port, "adminPort": self.admin_port}.items():
            if self.config.profiling and port == _PPROF_PORT:
                yield FieldError(key, port, "another port than pprof's, or config.profiling false")
