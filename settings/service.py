"""A service: an entry of ``slipway:services``."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, model_validator

from settings.autoscaling import Autoscaling
from settings.config_file import ConfigFileSettings, ConfigValues
from settings.config_schema import ConfigSchema
from settings.containers import Command, InitContainer, InitContainers, Sidecars
from settings.drill import DrillSettings
from settings.edge import (
    ARCHITECTURE,
    EDGE_NODE,
    NODE_GROUP,
    OFFLINE_TAINTS,
    with_edge_defaults,
)
from settings.env import Env, EnvFrom
from settings.errors import MISSING, FieldError
from settings.image import ImageSettings
from settings.knative import QUEUE_PROXY, USER_PORT
from settings.peers import Peers
from settings.pod_disruption_budget import PodDisruptionBudgetSettings
from settings.ports import HTTP, Port, Ports, default_port
from settings.probes import Probes, unknown_port
from settings.project import project_name
from settings.proxy_metrics import ProxyMetrics
from settings.quantities import parse_quantity, scaled_value
from settings.release import ReleaseSettings, Track
from settings.routing import PREVIEW, REDIRECT, WEIGHTED, Route, RoutingSettings
from settings.secret_files import SecretFiles, secret_name
from settings.section import Section
from settings.security_context import SecurityContextSettings
from settings.service_account import ServiceAccountSettings
from settings.service_alert import ServiceAlert
from settings.service_logs import ServiceLogs
from settings.service_metrics import ServiceMetrics
from settings.service_panel import ServicePanel
from settings.slo import SloSettings, Source
from settings.source import config_schema_file
from settings.string_formats import LabelValue, SourcePath
from settings.tls import TlsSettings
from settings.tracing import TracingSettings
from settings.volumes import Volumes
from settings.workload import WorkloadSettings

_WITHOUT_GATES = '"rolling", "canary" or "blueGreen"'
"""Strategies whose release needs no gates, for messages."""
SECRETS_FOLDER = "/run/secrets"
"""Parent of the folder with the secret files of a service."""


class Service(Section):
    """A service: its source, release, pods, and who connects to it."""

    source: SourcePath | None = None
    """Folder of the source code, relative to the project. Not needed if no version is built."""
    image: ImageSettings = ImageSettings.model_construct()
    release: ReleaseSettings
    command: Command = ()
    """Program in the container. Default: that of the image."""
    args: Command = ()
    """Arguments. Default: those of the image."""
    env: Env = {}
    """Environment variables by name: text, or a mapping with one of the keys below. They override
    the standard ones, such as `OTEL_SERVICE_NAME`."""
    env_from: EnvFrom = ()
    """Objects whose keys all become variables."""
    ports: Ports = {HTTP: 8080}
    """Container ports by name. Default: `http: 8080`. `{}`: a worker, which nothing connects to."""
    pprof_port: Port | None = None
    """Port of `net/http/pprof`, for `kubectl port-forward` only. Default: none."""
    metrics: ServiceMetrics | None = None
    """Prometheus metrics of the service. Default: none."""
    probes: Probes = Probes.model_construct()
    config: ConfigValues = {}
    """Content of the configuration file, checked by the JSON Schema that the source ships."""
    config_file: ConfigFileSettings = ConfigFileSettings.model_construct()
    secrets: SecretFiles = {}
    """Secrets by name: an encrypted value, or a mapping with the keys below. By default they are
    files in `/run/secrets/<service>`, and a new value restarts the pods."""
    volumes: Volumes = {}
    """Volumes by name."""
    init_containers: InitContainers = ()
    """Containers that run one after the other before the service's container starts."""
    sidecars: Sidecars = ()
    """Containers that run beside the service's, started before `initContainers`."""
    service_account: ServiceAccountSettings = ServiceAccountSettings.model_construct()
    security_context: SecurityContextSettings = SecurityContextSettings.model_construct()
    workload: WorkloadSettings = WorkloadSettings.model_construct()
    autoscaling: Autoscaling = Autoscaling.model_construct()
    pod_disruption_budget: PodDisruptionBudgetSettings = (
        PodDisruptionBudgetSettings.model_construct()
    )
    routing: RoutingSettings | None = None
    """Default: none, the service is not reachable from outside the cluster."""
    peers: Peers = Peers.model_construct()
    tracing: TracingSettings = TracingSettings.model_construct()
    slo: SloSettings | None = SloSettings.model_construct()
    """Service level objective. `null`: none."""
    logs: ServiceLogs = ServiceLogs.model_construct()
    owner: LabelValue | None = None
    """Team that owns the service. Its receivers are in `observability.alerts.owners`."""
    alerts: Annotated[tuple[ServiceAlert, ...], Field(strict=False, max_length=100)] = ()
    """Alerting rules of the service's own."""
    panels: Annotated[tuple[ServicePanel, ...], Field(strict=False, max_length=100)] = ()
    """Grafana panels of the service's own."""
    drill: DrillSettings = DrillSettings.model_construct()

    _name: str = PrivateAttr("")
    _tracks: "dict[Track, Service]" = PrivateAttr({})

    @model_validator(mode="before")
    @classmethod
    def _complete_for_edge(cls, values: Any) -> Any:  # noqa: ANN401
        return with_edge_defaults(values)

    @property
    def name(self) -> str:
        """Key of the service in ``slipway:services``: the prefix of its objects' names."""
        return self._name

    def set_name(self, name: str) -> None:
        """Set :attr:`name`; called once, by the model of the stack."""
        self._name = name

    def set_track(self, track: Track, service: "Service") -> None:
        """Set the service with the settings of a track; called by the loader, once for each."""
        self._tracks = {**self._tracks, track: service}

    def of_track(self, track: Track) -> "Service":
        """The service with the settings that a track was released with."""
        return self._tracks.get(track, self)

    @property
    def repository(self) -> str:
        """Repository of the image in the registry."""
        return self.image.repository or f"{project_name().lower()}/{self.name}"

    @property
    def is_knative(self) -> bool:
        """True if the service is a Knative Service."""
        return self.workload.kind == "knative"

    @property
    def min_replicas(self) -> int:
        """Minimum number of replicas of a track."""
        if self.is_knative:
            return self.workload.knative.min_scale
        scaling = self.autoscaling
        return scaling.min_replicas if scaling.enabled else self.workload.replicas

    @property
    def start_replicas(self) -> int:
        """Number of replicas that a track's Deployment is created with."""
        scaling = self.autoscaling
        return (scaling.start_replicas if scaling.enabled else None) or self.min_replicas

    @property
    def max_replicas(self) -> int:
        """Maximum number of replicas of a track."""
        if self.is_knative:
            return self.workload.knative.max_scale
        scaling = self.autoscaling
        return scaling.max_replicas if scaling.enabled else self.workload.replicas

    @property
    def max_pods(self) -> int:
        """Maximum number of pods: rollouts of all tracks at maximum replicas."""
        tracks = 1 if self.release.strategy == "rolling" else 2
        replicas = self.max_replicas
        if self.is_knative:
            # The previous revision of stable is scaled down when the new one gets the requests.
            return (tracks + 1) * replicas
        return tracks * (replicas + scaled_value(self.workload.rollout.max_surge, replicas))

    @property
    def metrics_port(self) -> str | None:
        """Name of the port with metrics. ``None``: there are none."""
        return self.metrics.port if self.metrics else None

    @property
    def scraped_port(self) -> str | None:
        """Name of :attr:`metrics_port` in the pods."""
        return USER_PORT if self.metrics and self.is_knative else self.metrics_port

    @property
    def request_source(self) -> Source | None:
        """Source of the request metrics. ``None``: nothing measures the requests."""
        if self.slo and self.slo.source:
            return self.slo.source
        # Requests to / cannot be distinguished from probes of /.
        if (
            self.metrics
            and self.metrics.request_metrics
            and not (self._probes_root and self.routing)
        ):
            return "service"
        return "proxy" if self.routing and not self.is_knative else None

    @property
    def probe_paths(self) -> tuple[str, ...]:
        """Paths of requests of the kubelet and of Prometheus, which are not the users'."""
        metrics = {self.metrics.path} if self.metrics else set()
        return tuple(sorted((self.probes.paths | metrics) - {"/"}))

    @property
    def _probes_root(self) -> bool:
        return "/" in self.probes.paths

    def buckets(self, proxy: ProxyMetrics) -> tuple[float, ...]:
        """Upper bounds of the duration histogram, in seconds. Empty: there are no durations."""
        match self.request_source:
            case "service" if self.metrics and (names := self.metrics.request_metrics):
                return names.buckets if names.duration else ()
            case "proxy":
                return proxy.upper_bounds
            case "queries" if self.slo and self.slo.queries:
                return self.slo.queries.buckets
        return ()

    @property
    def served_ports(self) -> Ports:
        """Ports of the Services: all but one that has only metrics."""
        routed = self.routing.routes if self.routing else {default_port(self.ports)}
        return {
            name: port
            for name, port in self.ports.items()
            if name != self.metrics_port or name in routed
        }

    @property
    def routes(self) -> Mapping[str, Route]:
        """Routes by the name of their container port. Empty: the service has no routing."""
        return self.routing.routes if self.routing else {}

    @property
    def tls(self) -> TlsSettings:
        """TLS of the hosts. Without routing, the mode is ``off``."""
        return self.routing.tls if self.routing else TlsSettings()

    @property
    def tls_hosts(self) -> tuple[str, ...]:
        """Hosts that are served with TLS: those of all routes and of previews."""
        if not self.tls.is_enabled:
            return ()
        hosts = dict.fromkeys(host for route in self.routes.values() for host in route.hosts)
        preview = self.release.blue_green.preview_host
        return (*hosts, *((preview,) if preview and preview not in hosts else ()))

    @property
    def tls_secret(self) -> str | None:
        """Name of the Secret with the certificate. ``None``: the service has no TLS."""
        return (self.tls.secret_name or f"{self.name}-tls") if self.tls_hosts else None

    def secret_names(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each Secret of :attr:`secrets`, and the name of its entry."""
        versions = {version.version for version in self.release.tracks.values()}
        for name, entry in self.secrets.items():
            if entry.effect == "release":
                yield from ((secret_name(self.name, name, one), name) for one in sorted(versions))
            else:
                yield secret_name(self.name, name), name

    @property
    def redirect_name(self) -> str:
        """Name of the HTTPRoute that redirects HTTP to HTTPS."""
        return f"{self.name}-{REDIRECT}"

    @property
    def preview_name(self) -> str:
        """Name of the objects that route the requests of ``release.blueGreen.previewHost``."""
        return f"{self.name}-{PREVIEW}"

    @property
    def route_names(self) -> Mapping[str, str]:
        """Names of the objects that route requests, and of what they route."""
        names = {self.route_name(port): port for port in self.routes}
        is_weighted = self.release.strategy in ("canary", "blueGreen")
        if is_weighted and self.routing and self.routing.backend == "ingress":
            names |= {f"{name}-{WEIGHTED}": WEIGHTED for name in (*names,)}
        if self.routing and self.routing.has_redirect_route:
            names[self.redirect_name] = REDIRECT
        return names | (
            {self.preview_name: PREVIEW} if self.release.blue_green.preview_host else {}
        )

    def route_name(self, port: str) -> str:
        """Name of the objects that route requests to a container port."""
        return self.name if self._is_main_route(port) else f"{self.name}-{port}"

    def route_key(self, port: str) -> str:
        """Key of the route to a container port."""
        return "routing" if self._is_main_route(port) else f"routing.additionalPorts.{port}"

    def _is_main_route(self, port: str) -> bool:
        return self.routing is None or self.routing.port == port

    @cached_property
    def config_schema(self) -> ConfigSchema | None:
        """JSON Schema of ``config``. Raises :class:`InvalidSchemaError`.

        ``None``: the source ships none.
        """
        file = config_schema_file(self.source, self.config_file.schema_file)
        return ConfigSchema.read(file) if file else None

    def total(self, part: str, resource: str) -> Decimal:
        """Sum of ``cpu`` or ``memory`` in the ``requests`` or ``limits`` of a pod."""

        def value(one: WorkloadSettings | InitContainer) -> Decimal:
            return parse_quantity(getattr(getattr(one.resources, part), resource))

        beside = sum(map(value, self.sidecars), Decimal(0))
        if self.is_knative:
            beside += parse_quantity(getattr(getattr(QUEUE_PROXY, part), resource))
        before = max(map(value, self.init_containers), default=Decimal(0))
        return beside + max(value(self.workload), before)

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.source is None and self.release.built:
            allowed = "the folder of the source code, or add the digest of each version"
            yield FieldError("source", MISSING, allowed)
        if not self.is_knative:
            yield from self._disruption_errors()
            yield from self._shutdown_errors()
        yield from self._port_errors()
        yield from self._container_errors()
        yield from self._volume_errors()
        yield from self._variable_errors()
        yield from self._metrics_errors()
        if self.release.strategy == "progressive":
            yield from self._progressive_errors()
        if self.routing is None and self.release.canary_weight:
            allowed = "0: without routing no requests are weighted"
            yield FieldError("release.canary.weight", self.release.canary_weight, allowed)
        yield from self._blue_green_errors()
        yield from self._edge_errors()

    def _edge_errors(self) -> Iterator[FieldError]:
        edge, release = self.workload.edge, self.release
        if edge is None:
            return
        if self.autoscaling.enabled:
            allowed = "false: an edge node that is offline has no metrics to scale by"
            yield FieldError("autoscaling.enabled", True, allowed)
        if release.strategy == "progressive":
            allowed = '"rolling", "canary" or "blueGreen": Flagger needs the metrics of all pods'
            yield FieldError("release.strategy", release.strategy, allowed)
        if release.canary_weight:
            reason = "requests inside an edge node do not pass the proxy that applies weights"
            yield FieldError("release.canary.weight", release.canary_weight, f"0: {reason}")
        missing = {f"linux/{one}" for one in edge.architectures} - {*self.image.platforms}
        if missing:
            allowed = f"also {', '.join(sorted(missing))}, of workload.edge.architectures"
            yield FieldError("image.platforms", self.image.platforms, allowed)
        key, scheduling = "workload.scheduling", self.workload.scheduling
        for label in scheduling.node_affinity.required.keys() & {
            EDGE_NODE,
            NODE_GROUP,
            ARCHITECTURE,
        }:
            value = scheduling.node_affinity.required[label]
            yield FieldError(f"{key}.nodeAffinity.required.{label}", value, "workload.edge for it")
        for number, toleration in enumerate(scheduling.tolerations):
            if toleration.key in (EDGE_NODE, *OFFLINE_TAINTS):
                where = f"{key}.tolerations[{number}].key"
                yield FieldError(where, toleration.key, "workload.edge for it")

    def _blue_green_errors(self) -> Iterator[FieldError]:
        key, blue_green = "release.blueGreen", self.release.blue_green
        if blue_green.preview_host and self.routing is None:
            allowed = "null: without routing no requests are routed"
            yield FieldError(f"{key}.previewHost", blue_green.preview_host, allowed)
        if blue_green.gate_seconds and (self.slo is None or self.request_source is None):
            missing = (
                "slo" if self.slo is None else "metrics or routing, which measure the requests"
            )
            allowed = f"0, or add {missing}"
            yield FieldError(f"{key}.gateSeconds", blue_green.gate_seconds, allowed)

    def _disruption_errors(self) -> Iterator[FieldError]:
        key, pods = "podDisruptionBudget.maxUnavailable", self.min_replicas
        value = self.pod_disruption_budget.max_unavailable
        unavailable = scaled_value(value, pods)
        if unavailable == 0:
            yield FieldError(key, value, "at least 1, or no node can be drained")
        elif unavailable >= pods > 1:
            yield FieldError(key, value, f"less than the minimum number of replicas, {pods}")

    def _shutdown_errors(self) -> Iterator[FieldError]:
        sleep, period = (
            self.workload.pre_stop_sleep_seconds,
            self.workload.termination_grace_period_seconds,
        )
        if period <= sleep:
            allowed = f"more than workload.preStopSleepSeconds, which is {sleep}"
            yield FieldError("workload.terminationGracePeriodSeconds", period, allowed)

    def _port_errors(self) -> Iterator[FieldError]:
        pprof = {"pprof": self.pprof_port} if self.pprof_port else {}
        owners: dict[str | int, str] = {}
        for key, ports in (
            ("ports", self.ports),
            ("pprofPort", pprof),
            *((f"sidecars[{number}].ports", one.ports) for number, one in enumerate(self.sidecars)),
        ):
            for name, port in ports.items():
                own = key if ports is pprof else f"{key}.{name}"
                for value in (name, port):
                    other = owners.setdefault(value, own)
                    if other != own:
                        yield FieldError(own, port, f"another name and number than {other}")
        yield from self.probes.port_errors(self.ports, "probes")
        if self.metrics and self.metrics.port not in self.ports:
            yield unknown_port("metrics.port", self.metrics.port, self.ports)
        for port in self.routes:
            if port not in self.ports:
                key = self.route_key(port)
                yield unknown_port(f"{key}.port" if key == "routing" else key, port, self.ports)
        for number, peer in enumerate(self.peers.from_):
            key = f"peers.from[{number}]"
            if not self.ports:
                yield FieldError("ports", {}, f"at least one port: {key} connects to the service")
            for index, port in enumerate(peer.ports):
                if port not in self.served_ports:
                    yield unknown_port(f"{key}.ports[{index}]", port, self.served_ports)

    def _metrics_errors(self) -> Iterator[FieldError]:
        has_requests = self.metrics and self.metrics.request_metrics
        if self.slo and self.slo.source == "service" and not has_requests:
            allowed = '"proxy", or add metrics with request metrics'
            yield FieldError("slo.source", self.slo.source, allowed)
        if self.slo and self.slo.source == "proxy" and not self.routing:
            allowed = '"service" or "queries", or add routing'
            yield FieldError("slo.source", self.slo.source, allowed)
        names = [alert.name for alert in self.alerts]
        for number, name in enumerate(names):
            if name in names[:number]:
                yield FieldError(f"alerts[{number}].name", name, "each name once")

    def _progressive_errors(self) -> Iterator[FieldError]:
        strategy, settings = self.release.strategy, self.release.progressive
        if not self.autoscaling.enabled and self.workload.edge is None:
            allowed = "true: Flagger scales a new version to the replicas of its autoscaler"
            yield FieldError("autoscaling.enabled", self.autoscaling.enabled, allowed)
        if not self.ports:
            allowed = '"rolling", or add ports: requests are routed to the new version step by step'
            yield FieldError("release.strategy", strategy, allowed)
        elif self.routing is None:
            yield FieldError("release.strategy", strategy, f"{_WITHOUT_GATES}, or add routing")
        else:
            key = "release.progressive"
            if self.routing.backend == "gateway" and self.routing.protocol == "grpc":
                allowed = '"h2c", or the backend "ingress": Flagger creates HTTPRoutes'
                yield FieldError("routing.protocol", self.routing.protocol, allowed)
            if settings.mirror and self.routing.backend == "ingress":
                allowed = 'false, or the backend "gateway" or "istio": an Ingress cannot mirror'
                yield FieldError(f"{key}.mirror", settings.mirror, allowed)
            if not self.progressive_gates:
                allowed = f"{_WITHOUT_GATES}, or add slo, metrics or release.progressive.gates"
                yield FieldError("release.strategy", strategy, allowed)

    @property
    def progressive_gates(self) -> tuple[str, ...]:
        """Names of the gates of strategy ``progressive``. Empty: nothing checks a new version."""
        settings = self.release.progressive
        gates = settings.gates
        names: list[str] = []
        if self.request_source:
            names += ["requests"] if settings.min_requests else []
            if self.slo:
                names += ["availability"] if gates.availability else []
                names += ["latency"] if gates.latency and self.slo.latency else []
        names += ["cpu"] if gates.cpu else []
        names += ["memory"] if gates.memory else []
        return (*names, *(gate.name for gate in gates.queries))

    def _container_errors(self) -> Iterator[FieldError]:
        mountable = {"tmp", *self.volumes}
        mountable |= {"config"} if self.config else set()
        mountable |= (
            {"secrets"} if any(one.as_ == "file" for one in self.secrets.values()) else set()
        )
        names = Counter(one.name for one in (*self.init_containers, *self.sidecars))
        for key, containers in (
            ("initContainers", self.init_containers),
            ("sidecars", self.sidecars),
        ):
            for number, container in enumerate(containers):
                where = f"{key}[{number}]"
                if names[container.name] > 1:
                    yield FieldError(f"{where}.name", container.name, "each name once")
                for index, mount in enumerate(container.volume_mounts):
                    if mount.name not in mountable:
                        allowed = f"one of {', '.join(sorted(mountable))}"
                        yield FieldError(f"{where}.volumeMounts[{index}].name", mount.name, allowed)

    def _volume_errors(self) -> Iterator[FieldError]:
        paths = {"/tmp": "that of temporary files"}  # noqa: S108
        if self.config:
            path = str(self.config_file.path_of("<service>").parent)
            paths[path] = "the folder of configFile.path"
        for name, volume in self.volumes.items():
            key = f"volumes.{name}.mountPath"
            other = paths.setdefault(volume.mount_path, key)
            if other != key:
                yield FieldError(key, volume.mount_path, f"another path than {other}")

    def _variable_errors(self) -> Iterator[FieldError]:
        """Variables that are set twice."""
        owners = {name: f"env.{name}" for name in self.env}
        for name, secret in self.secrets.items():
            if secret.variable:
                key = f"secrets.{name}.variable"
                other = owners.setdefault(secret.variable, key)
                if other != key:
                    yield FieldError(key, secret.variable, f"another variable than {other}")
