"""Every key of a stack's configuration: its type, bounds, default and meaning.

Keys stand under ``slipway:`` in ``Pulumi.<stack>.yaml``. The program reads them with
:func:`from_pulumi`, commands with :func:`load`; both refuse the same things in the same words.
``python -m settings`` writes the JSON schema by which editors complete and check stack files.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from schemas.compute import Compute
from schemas.observability import ObservabilitySettings, SloSettings
from schemas.problems import Problem, SettingsError, problems_of
from schemas.section import Section
from schemas.values import (
    DECRYPTED,
    OWN_NAMESPACE,
    VERSION,
    BuildArgument,
    CountOrShare,
    Digest,
    DnsLabel,
    HeaderName,
    HostName,
    LabelKey,
    LabelValue,
    Memory,
    MetricName,
    OwnNamespace,
    Registry,
    Repository,
    Secret,
    ServiceName,
    Url,
    UrlPath,
    Version,
    amount,
    count,
    duration,
    mebibytes,
    seconds,
)

__all__ = ["Settings", "SettingsError", "from_pulumi", "load"]

PROJECT = "slipway"
Track = Literal["stable", "canary"]
Strategy = Literal["rolling", "canary"]
Backend = Literal["ingress", "gateway"]
Port = Annotated[int, Field(ge=1024, le=65535)]
Replicas = Annotated[int, Field(ge=1, le=1000)]
Percent = Annotated[int, Field(ge=0, le=100)]
_PROFILING_PORT = 6060
"""Where the service serves pprof."""


class Service(Section):
    """The service and how it is reached inside the cluster."""

    name: ServiceName = "beacon"
    """What every object is named after."""
    port: Port = 8080
    """Where it serves requests."""
    admin_port: Port = 9090
    """Where operators and monitoring reach it; never routed to from outside."""
    admin_token: Secret | None = None
    """Bearer token for the admin port's fault injection. Generated when left out."""
    metrics: bool = True
    """Whether the admin port serves `/metrics`, as beacon's does."""

    def contradictions(self) -> Iterator[Problem]:
        if self.port == self.admin_port:
            yield Problem("adminPort", self.admin_port, "another port than service.port")


class Cluster(Section):
    """Which cluster the stack is deployed to."""

    context: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """The kubeconfig's context. Left out: the current one."""


class Quota(Section):
    """What all pods of the namespace may take together."""

    pods: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Number of pods."""
    requests: Compute = Compute(cpu="10", memory="13Gi")
    """Sum of what they request; by default that of 50 pods of the default size."""
    limits: Compute = Compute(cpu="25", memory="25Gi")
    """Sum of their limits; likewise."""

    def contradictions(self) -> Iterator[Problem]:
        yield from self.requests.exceeding(self.limits, "requests", "limits")


class ContainerLimits(Section):
    """What one container gets, and what it may ask for."""

    default_request: Compute = Compute(cpu="100m", memory="64Mi")
    """For a container that requests nothing."""
    default: Compute = Compute(cpu="500m", memory="512Mi")
    """The limit of a container that sets none."""
    max: Compute = Compute(cpu="2", memory="2Gi")
    """The highest limit that is admitted."""

    def contradictions(self) -> Iterator[Problem]:
        yield from self.default_request.exceeding(self.default, "defaultRequest", "default")
        yield from self.default.exceeding(self.max, "default", "max")


class NamespaceSettings(Section):
    """The namespace that holds everything the stack deploys."""

    name: OwnNamespace
    """Made by the stack, and deleted with it: one that nothing else lives in."""
    quota: Quota = Quota()
    limits: ContainerLimits = ContainerLimits()


class RegistryLogin(Section):
    """For a registry that asks for credentials; the cluster pulls with the same."""

    username: Annotated[str, Field(min_length=1, max_length=253)]
    """User name, or what the registry wants in its place."""
    password: Secret
    """Password or token."""


class ImageSettings(Section):
    """Where the service's image is published and how it is built."""

    registry: Registry
    """Any OCI registry: local, Harbor, ECR, GHCR."""
    repository: Repository
    """The repository in it."""
    builder: Literal["buildkit", "docker"] = "buildkit"
    """`buildkit`: a buildx builder. `docker`: a machine that has just a Docker engine."""
    platforms: Annotated[
        tuple[Literal["linux/amd64", "linux/arm64"], ...], Field(strict=False, max_length=2)
    ] = ()
    """Empty: the builder's own platform. More than one needs `buildkit`."""
    cache: Literal["builder", "registry"] = "builder"
    """Where layers are kept for the next build. `registry` serves builders that start empty."""
    build_args: dict[BuildArgument, Annotated[str, Field(max_length=1024)]] = {}
    """Build arguments beside VERSION, such as GOPROXY. Never secrets: an image shows them."""
    login: RegistryLogin | None = None
    """Left out: the registry is open, or the machine is logged in."""

    def contradictions(self) -> Iterator[Problem]:
        if self.builder == "docker" and len(self.platforms) > 1:
            yield Problem("platforms", self.platforms, "one platform with image.builder docker")
        if self.builder == "docker" and self.cache == "registry":
            yield Problem("cache", self.cache, '"builder" with image.builder docker')

    @property
    def name(self) -> str:
        """The image without tag or digest."""
        return f"{self.registry}/{self.repository}"


class ReleasedVersion(Section):
    """One version. With a digest it is published; without, it is built from the working tree."""

    version: Version
    """Semantic version, the image's tag."""
    digest: Digest | None = None
    """Digest of the published image. It wins: nothing is built for this version any more."""


class CanaryVersion(ReleasedVersion):
    """The version that part of the requests reach."""

    weight: Percent
    """Percent of requests; stable gets the rest."""


class ReleaseSettings(Section):
    """Which versions run, and how requests are shared between them."""

    strategy: Strategy = "rolling"
    """`rolling`: stable is updated in place. `canary`: a second version can run beside it."""
    stable: ReleasedVersion
    canary: CanaryVersion | None = None
    """Left out: every request reaches stable."""

    def contradictions(self) -> Iterator[Problem]:
        if self.canary is None:
            return
        if self.strategy != "canary":
            yield Problem("strategy", self.strategy, '"canary", or leave release.canary out')
        if self.canary.version == self.stable.version:
            yield Problem("canary.version", self.canary.version, "another version than stable's")

    @property
    def tracks(self) -> dict[Track, ReleasedVersion]:
        """The version that each track runs."""
        return {"stable": self.stable, **({"canary": self.canary} if self.canary else {})}

    @property
    def canary_weight(self) -> int:
        """Percent of requests that reach the canary."""
        return self.canary.weight if self.canary else 0


class Resources(Section):
    """Compute resources of one pod. `GOMAXPROCS` and `GOMEMLIMIT` follow the limits."""

    requests: Compute = Compute(cpu="200m", memory="256Mi")
    """What is reserved; utilisation is measured against it."""
    limits: Compute = Compute(cpu="500m", memory="512Mi")
    """What is never exceeded."""

    def contradictions(self) -> Iterator[Problem]:
        yield from self.requests.exceeding(self.limits, "requests", "limits")


class Probe(Section):
    """How the kubelet asks a pod for its state. Times in seconds."""

    path: UrlPath
    """What is asked for; any answer from 200 to 399 is a success."""
    initial_delay_seconds: Annotated[int, Field(ge=0, le=600)] = 0
    """Before the first one."""
    period_seconds: Annotated[int, Field(ge=1, le=300)] = 10
    """From one to the next."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 1
    """An answer that takes longer is a failure."""
    failure_threshold: Annotated[int, Field(ge=1, le=100)] = 3
    """Failures in a row that count."""


class StartupProbe(Probe):
    """Holds the other probes back until the service has started. 60 s by default."""

    path: UrlPath = "/healthz"
    """As for every probe."""
    period_seconds: Annotated[int, Field(ge=1, le=300)] = 1
    """From one to the next."""
    failure_threshold: Annotated[int, Field(ge=1, le=100)] = 60
    """Failures in a row after which the pod is restarted."""


class LivenessProbe(Probe):
    """Restarts a pod that is stuck."""

    path: UrlPath = "/healthz"
    """As for every probe."""
    initial_delay_seconds: Annotated[int, Field(ge=0, le=600)] = 15
    """Before the first one."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """An answer that takes longer is a failure."""


class ReadinessProbe(Probe):
    """Takes a pod out of the Service that cannot serve now."""

    path: UrlPath = "/ready"
    """As for every probe."""
    period_seconds: Annotated[int, Field(ge=1, le=300)] = 2
    """From one to the next."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 2
    """An answer that takes longer is a failure."""


class Probes(Section):
    """The three probes, each on the service's port."""

    startup: StartupProbe = StartupProbe()
    liveness: LivenessProbe = LivenessProbe()
    readiness: ReadinessProbe = ReadinessProbe()


class Rollout(Section):
    """How a Deployment goes from one version to the next."""

    max_surge: CountOrShare = 1
    """Pods above the wanted number."""
    max_unavailable: CountOrShare = 1
    """Pods below the wanted number."""
    min_ready_seconds: Annotated[int, Field(ge=0, le=600)] = 0
    """How long a new pod has to be ready before it counts."""
    revision_history_limit: Annotated[int, Field(ge=0, le=100)] = 10
    """Old ReplicaSets that are kept for `kubectl rollout undo`."""
    progress_deadline_seconds: Annotated[int, Field(ge=1, le=3600)] = 300
    """A rollout without progress for so long has failed. Longer than `minReadySeconds`."""

    def contradictions(self) -> Iterator[Problem]:
        if count(self.max_surge, 1) == count(self.max_unavailable, 1) == 0:
            yield Problem("maxSurge", self.max_surge, "at least 1, for maxUnavailable is 0")
        if self.progress_deadline_seconds <= self.min_ready_seconds:
            yield Problem(
                "progressDeadlineSeconds",
                self.progress_deadline_seconds,
                f"more than minReadySeconds, which is {self.min_ready_seconds}",
            )


class Toleration(Section):
    """A taint that the pods put up with."""

    key: LabelKey
    """The taint's key."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """`Exists`: whatever the taint's value is."""
    value: LabelValue = ""
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
    """The taint's effect."""

    def contradictions(self) -> Iterator[Problem]:
        if self.operator == "Exists" and self.value:
            yield Problem("value", self.value, "no value with operator Exists")


class Placement(Section):
    """Which nodes the pods go to."""

    required: dict[LabelKey, LabelValue] = {"kubernetes.io/os": "linux"}
    """Node labels that a node must have."""
    preferred: dict[LabelKey, LabelValue] = {"disktype": "ssd"}
    """Node labels that are preferred, each with weight 1."""
    spread_over: Annotated[tuple[LabelKey, ...], Field(strict=False, max_length=4)] = (
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    )
    """Node labels over whose values the pods of a version are spread, one pod apart at most."""
    when_unsatisfiable: Literal["ScheduleAnyway", "DoNotSchedule"] = "ScheduleAnyway"
    """What happens to a pod that cannot be spread so."""
    tolerations: Annotated[tuple[Toleration, ...], Field(strict=False, max_length=20)] = ()
    """Taints that the pods put up with, such as those of edge nodes."""


class WorkloadSettings(Section):
    """The pods of a track."""

    replicas: Replicas = 3
    """Number of pods where autoscaling is off."""
    resources: Resources = Resources()
    probes: Probes = Probes()
    rollout: Rollout = Rollout()
    placement: Placement = Placement()
    termination_grace_period_seconds: Annotated[int, Field(ge=1, le=900)] = 30
    """From SIGTERM to SIGKILL. More than `config.drain` and `config.timeouts.shutdown` take."""
    temporary_storage: Memory = "64Mi"
    """Size limit of /tmp, the only place that can be written to."""


class PodMetric(Section):
    """A metric of the pods themselves, served by a custom-metrics adapter."""

    name: MetricName
    """The metric's name."""
    average: Annotated[int, Field(ge=1, le=1_000_000_000)]
    """Wanted average per pod."""


class Autoscaling(Section):
    """How many pods a track has: the autoscaler owns the number."""

    enabled: bool = True
    """Off: `workload.replicas`."""
    min_replicas: Replicas = 3
    """Pods in the quiet; enough to lose one."""
    max_replicas: Replicas = 10
    """Pods under the highest load; the quota has to hold them."""
    target_cpu: Annotated[int, Field(alias="targetCPU", ge=1, le=100)] = 70
    """Wanted CPU use in percent of the request, on average."""
    target_memory: Annotated[int, Field(ge=1, le=100)] | None = None
    """The same for memory. Left out: memory does not count."""
    pod_metrics: Annotated[tuple[PodMetric, ...], Field(strict=False, max_length=10)] = ()
    """Further metrics; the one that asks for most pods wins."""
    scale_up_stabilization_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """How long more load has to last. Kubernetes' default."""
    scale_down_stabilization_seconds: Annotated[int, Field(ge=0, le=3600)] = 300
    """How long less load has to last. Kubernetes' default."""

    def contradictions(self) -> Iterator[Problem]:
        if self.min_replicas > self.max_replicas:
            allowed = f"at most maxReplicas, which is {self.max_replicas}"
            yield Problem("minReplicas", self.min_replicas, allowed)


class Disruption(Section):
    """How many pods of a track a node drain may take away at once."""

    max_unavailable: CountOrShare = 1
    """A number of pods, or a percentage."""


class Timeouts(Section):
    """How long one connection may keep the service busy. Go durations."""

    read_header: Annotated[str, duration("1s", "5m")] = "5s"
    """For the request's headers."""
    read: Annotated[str, duration("1s", "10m")] = "15s"
    """For the whole request."""
    write: Annotated[str, duration("1s", "10m")] = "1m"
    """For the answer."""
    idle: Annotated[str, duration("1s", "1h")] = "2m"
    """Longer than the proxy's in front, so that the proxy closes first."""
    shutdown: Annotated[str, duration("1s", "5m")] = "20s"
    """How long requests under way may take after `drain`."""

    def contradictions(self) -> Iterator[Problem]:
        if seconds(self.read_header) > seconds(self.read):
            yield Problem("readHeader", self.read_header, f"at most read, which is {self.read}")


class RequestLimits(Section):
    """What one request, or all of them together, may use."""

    body_bytes: Annotated[int, Field(ge=1, le=16_777_216)] = 1_048_576
    """Longest request body."""
    notes: Annotated[int, Field(ge=0, le=100_000)] = 1000
    """Most notes that are kept."""
    work_iterations: Annotated[int, Field(ge=1, le=100_000_000)] = 5_000_000
    """Most rounds that one request for work may ask for."""


class Faults(Section):
    """Faults to inject, for drills."""

    enabled: bool = False
    """Whether any may be injected at all."""
    error_rate: Annotated[float, Field(ge=0, le=1)] = 0
    """Share of API requests that fail."""
    error_status: Annotated[int, Field(ge=500, le=599)] = 500
    """What they are answered with."""
    latency: Annotated[str, duration("0s", "1m")] = "0s"
    """Added before every API request."""
    latency_jitter: Annotated[str, duration("0s", "1m")] = "0s"
    """Spreads `latency` evenly by ± this."""
    cpu_burn: Annotated[float, Field(alias="cpuBurn", ge=0, le=1)] = 0
    """Share of all CPUs kept busy."""
    crash_after: Annotated[str, duration("0s", "24h")] = "0s"
    """Ends the process so long after it started; 0s is never."""
    not_ready: bool = False
    """Whether the readiness probe fails."""

    def contradictions(self) -> Iterator[Problem]:
        if seconds(self.latency_jitter) > seconds(self.latency):
            allowed = f"at most latency, which is {self.latency}"
            yield Problem("latencyJitter", self.latency_jitter, allowed)


class Tracing(Section):
    """Which requests are traced, where the stack has somewhere to send traces to."""

    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the requests that no caller has decided on. 0: only those that a caller traces."""


class ServiceConfig(Section):
    """The service's own configuration, reloaded without a restart; its README has every key."""

    debug: bool = False
    """Log at level debug, whatever `logLevel` says."""
    log_level: Literal["debug", "info", "warn", "error"] = "info"
    """The lowest level that is logged."""
    message: Annotated[str, Field(max_length=256)] = "Hello from beacon"
    """What `GET /` says."""
    startup_check: Literal["warn", "strict"] = "warn"
    """`strict`: do not start where memory, CPU, open files or temporary space are short."""
    drain: Annotated[str, duration("0s", "5m")] = "5s"
    """How long to go on serving, not ready, after SIGTERM."""
    timeouts: Timeouts = Timeouts()
    limits: RequestLimits = RequestLimits()
    tracing: Tracing = Tracing()
    profiling: bool = False
    """Whether pprof is served, on port 6060 of the pod's loopback: `kubectl port-forward` only."""
    upstream: Url | None = None
    """URL that `GET /api/relay` asks in turn. Left out: the service itself."""
    faults: Faults = Faults()

    def contradictions(self) -> Iterator[Problem]:
        worst = seconds(self.faults.latency) + seconds(self.faults.latency_jitter)
        if worst >= seconds(self.timeouts.write):
            allowed = f"with its jitter less than timeouts.write, which is {self.timeouts.write}"
            yield Problem("faults.latency", self.faults.latency, allowed)


class Network(Section):
    """Who may reach the pods. Everything else is refused."""

    proxy_namespace: DnsLabel = "ingress"
    """Where the proxies run that serve Ingresses or Gateways."""
    monitoring_namespace: DnsLabel = "monitoring"
    """Where metrics are scraped from; with `observability.mode: bundled`, made by the stack."""


class IngressSettings(Section):
    """The Ingress back end: ingress-nginx's canary annotations, which Traefik serves too."""

    class_name: DnsLabel = "nginx"
    """IngressClass."""
    await_address: bool = True
    """An update waits until the proxy has published an address. Off for one that publishes none."""


class GatewaySettings(Section):
    """The Gateway API back end: the Gateway that the HTTPRoute attaches to."""

    name: DnsLabel = "public"
    """The Gateway's name."""
    namespace: DnsLabel = "gateway-system"
    """The Gateway's namespace; it has to admit routes from the service's."""
    listener: DnsLabel | None = None
    """One listener of it. Left out: every one that admits the route."""


class CanaryTesters(Section):
    """How a tester reaches the canary whatever its weight: the value `always`, or `never`."""

    header: HeaderName | None = "X-Canary"
    """Name of the header. `null`: none."""
    cookie: HeaderName | None = None
    """Name of the cookie. Left out: none."""


class RoutingSettings(Section):
    """How requests from outside reach the service."""

    backend: Backend = "ingress"
    """What serves: Ingresses, or an HTTPRoute of the Gateway API."""
    host: HostName
    """The name by which the service is asked for."""
    port: Annotated[int, Field(ge=1, le=65535)] = 80
    """The port of the proxy's entry point, as seen from outside."""
    paths: Annotated[tuple[UrlPath, ...], Field(strict=False, min_length=1, max_length=20)] = ("/",)
    """Path prefixes."""
    ingress: IngressSettings = IngressSettings()
    gateway: GatewaySettings = GatewaySettings()
    testers: CanaryTesters = CanaryTesters()

    def contradictions(self) -> Iterator[Problem]:
        other = "gateway" if self.backend == "ingress" else "ingress"
        if other in self.model_fields_set:
            yield Problem("backend", self.backend, f'"{other}", or leave routing.{other} out')
        if len(set(self.paths)) < len(self.paths):
            yield Problem("paths", self.paths, "each path once")

    @property
    def url(self) -> str:
        """Where the service answers."""
        port = "" if self.port == 80 else f":{self.port}"  # noqa: PLR2004
        return f"http://{self.host}{port}"


class Settings(Section):
    """All settings of one stack."""

    service: Service = Service()
    cluster: Cluster = Cluster()
    namespace: NamespaceSettings
    image: ImageSettings
    release: ReleaseSettings
    workload: WorkloadSettings = WorkloadSettings()
    autoscaling: Autoscaling = Autoscaling()
    disruption: Disruption = Disruption()
    config: ServiceConfig = ServiceConfig()
    network: Network = Network()
    routing: RoutingSettings
    observability: ObservabilitySettings = ObservabilitySettings()
    slo: SloSettings = SloSettings()

    @property
    def namespaces(self) -> dict[str, str]:
        """What the stack makes, closes to all others and deletes with itself: names, by key."""
        made = {"namespace.name": self.namespace.name}
        if self.observability.mode == "bundled":
            made["network.monitoringNamespace"] = self.network.monitoring_namespace
            made["observability.nodeNamespace"] = self.observability.node_namespace
        return made

    def contradictions(self) -> Iterator[Problem]:
        yield from self.workload.resources.limits.exceeding(
            self.namespace.limits.max, "workload.resources.limits", "namespace.limits.max"
        )
        yield from self._namespaces()
        yield from self._disruptions()
        yield from self._shutdown()
        yield from self._ports()
        yield from self._quota()
        yield from self._observability()

    def _namespaces(self) -> Iterator[Problem]:
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
            why = "with observability.mode bundled the stack makes it"
            yield Problem(key, monitoring, f"{OWN_NAMESPACE.allowed}; {why}")
        pairs = (*combinations(own.items(), 2), *product(own.items(), others.items()))
        for (mine, name), (other, taken) in pairs:
            if name == taken:
                yield Problem(mine, name, f"another namespace than {other}")

    def _disruptions(self) -> Iterator[Problem]:
        pods = self.fewest_pods
        value = self.disruption.max_unavailable
        taken = count(value, pods)
        if taken == 0:
            yield Problem("disruption.maxUnavailable", value, "at least 1, or no node can drain")
        elif taken >= pods > 1:
            allowed = f"fewer than the {pods} pods that a track has at least"
            yield Problem("disruption.maxUnavailable", value, allowed)

    def _shutdown(self) -> Iterator[Problem]:
        needed = seconds(self.config.drain) + seconds(self.config.timeouts.shutdown)
        grace = self.workload.termination_grace_period_seconds
        if grace <= needed:
            yield Problem(
                "workload.terminationGracePeriodSeconds",
                grace,
                f"more than the {needed:g} s of config.drain and config.timeouts.shutdown",
            )

    def _ports(self) -> Iterator[Problem]:
        """A pod whose ports are not all free would crash at every start."""
        taken = {"service.port": self.service.port, "service.adminPort": self.service.admin_port}
        for key, port in taken.items():
            if self.config.profiling and port == _PROFILING_PORT:
                allowed = "another port, or config.profiling false: pprof is served on this one"
                yield Problem(key, port, allowed)

    def _quota(self) -> Iterator[Problem]:
        quota, resources = self.namespace.quota, self.workload.resources
        tracks = 2 if self.release.strategy == "canary" else 1
        pods = tracks * (self.most_pods + count(self.workload.rollout.max_surge, self.most_pods))
        why = f"which the {pods} pods of a full rollout need"
        if quota.pods < pods:
            yield Problem("namespace.quota.pods", quota.pods, f"at least {pods}, {why}")
        for part in ("requests", "limits"):
            has: Compute = getattr(quota, part)
            each: Compute = getattr(resources, part)
            cpu, memory = pods * amount(each.cpu), pods * amount(each.memory)
            if amount(has.cpu) < cpu:
                key = f"namespace.quota.{part}.cpu"
                yield Problem(key, has.cpu, f"at least {cpu.normalize():f}, {why}")
            if amount(has.memory) < memory:
                key = f"namespace.quota.{part}.memory"
                yield Problem(key, has.memory, f"at least {mebibytes(memory)}, {why}")

    def _observability(self) -> Iterator[Problem]:
        observability = self.observability
        has_slo = bool(self.slo.model_fields_set)
        if has_slo and observability.mode == "off":
            allowed = '"bundled" or "operator", for slo is set: nothing would measure it'
            yield Problem("observability.mode", observability.mode, allowed)
        if has_slo and not self.service.metrics:
            allowed = "true, for slo is set: without metrics there is nothing to measure it by"
            yield Problem("service.metrics", self.service.metrics, allowed)
        kept, needed = observability.metrics.retention_days, self.slo.window_days
        if observability.mode == "bundled" and self.service.metrics and kept < needed:
            allowed = (
                f"at least the {needed} days of slo.windowDays: the budget is that of them all"
            )
            yield Problem("observability.metrics.retentionDays", kept, allowed)

    @property
    def fewest_pods(self) -> int:
        """What a track has at the least."""
        scaling = self.autoscaling
        return scaling.min_replicas if scaling.enabled else self.workload.replicas

    @property
    def most_pods(self) -> int:
        """What a track has at the most."""
        scaling = self.autoscaling
        return scaling.max_replicas if scaling.enabled else self.workload.replicas


def load(stack: str, built: Path | None = None) -> Settings:
    """The settings in ``Pulumi.<stack>.yaml``; ``stack`` may also be the path of such a file.

    ``built`` is the file that names the version which the working tree builds. With it, a release
    of a version that can neither be built nor is pinned is an error too. Encrypted values are not
    decrypted. Raises :class:`SettingsError`.
    """
    from schemas.stack_file import path_of, read  # noqa: PLC0415  # the program needs no YAML

    path = path_of(stack)
    return _settings(path.name, read(path, PROJECT), built)


def from_pulumi(built: Path) -> Settings:
    """The settings that the engine gives the running program.

    ``built`` as for :func:`load`. Raises :class:`pulumi.RunError` with the message of
    :class:`SettingsError`: the engine shows it as it is, and nothing is touched.
    """
    import pulumi  # noqa: PLC0415  # commands need no engine
    from pulumi.runtime.config import CONFIG, is_config_secret  # noqa: PLC0415

    prefix = f"{PROJECT}:"
    values = {key: text for key, text in CONFIG.get().items() if key.startswith(prefix)}
    decrypted = any(is_config_secret(key) for key in values)
    sections = {key.removeprefix(prefix): _parsed(text) for key, text in values.items()}
    try:
        source = f"Pulumi.{pulumi.get_stack()}.yaml"
        return _settings(source, sections, built, DECRYPTED if decrypted else None)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None


def _parsed(text: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _settings(
    source: str, sections: Mapping[str, Any], built: Path | None, context: object = None
) -> Settings:
    try:
        settings = Settings.model_validate(sections, context=context, by_name=False, by_alias=True)
    except ValidationError as error:
        problems = problems_of(error, f"{PROJECT}:", _schema())
        raise SettingsError(source, list(problems)) from None
    if built and (problems := list(_unbuildable(settings.release, built))):
        raise SettingsError(source, problems)
    return settings


@cache
def _schema() -> dict[str, Any]:
    return Settings.model_json_schema()


def _unbuildable(release: ReleaseSettings, built: Path) -> Iterator[str]:
    name = "/".join(built.parts[-2:])
    version = built.read_text().strip() if built.is_file() else ""
    if not VERSION.matches(version):
        yield str(Problem(name, version, VERSION.allowed.removesuffix(", in quotes")))
        return
    for track, released in release.tracks.items():
        if released.digest is None and released.version != version:
            allowed = (
                f"{version}, which {name} names, or put the published image's digest beside it"
            )
            yield str(Problem(f"{PROJECT}:release.{track}.version", released.version, allowed))


if __name__ == "__main__":
    from schemas.stack_file import write_schema

    write_schema(Settings, PROJECT)
