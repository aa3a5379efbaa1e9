"""The keys of ``slipway:observability`` and ``slipway:slo``."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from schemas.compute import Compute
from schemas.problems import Problem
from schemas.section import Section
from schemas.values import (
    DnsLabel,
    ElasticsearchIndex,
    HostPort,
    KafkaTopic,
    LabelValue,
    Memory,
    OwnNamespace,
    Secret,
    Url,
)

Mode = Literal["bundled", "operator", "off"]
Days = Annotated[int, Field(ge=1, le=3650)]
Percentage = Annotated[float, Field(ge=50, le=99.999)]


class ServerResources(Section):
    """What one server reserves and may use."""

    requests: Compute
    """What is reserved."""
    limits: Compute
    """What is never exceeded."""

    def contradictions(self) -> Iterator[Problem]:
        yield from self.requests.exceeding(self.limits, "requests", "limits")


def _resources(cpu: str, memory: str, most_cpu: str, most_memory: str) -> ServerResources:
    return ServerResources(
        requests=Compute(cpu=cpu, memory=memory), limits=Compute(cpu=most_cpu, memory=most_memory)
    )


class Store(Section):
    """A persistent volume, and how long what is in it is kept."""

    volume: Memory
    """Size of the volume."""
    storage_class: DnsLabel | None = None
    """StorageClass. Left out: the cluster's default."""


class MetricsSettings(Store):
    """Prometheus."""

    volume: Memory = "20Gi"
    """Size of the volume. When nine tenths of it are used, the oldest metrics go early."""
    retention_days: Days = 30
    """How long metrics are kept: at least `slo.windowDays`."""
    scrape_interval_seconds: Annotated[int, Field(ge=5, le=120)] = 15
    """How often every target is read, and every rule evaluated."""
    resources: ServerResources = _resources("100m", "256Mi", "1", "1Gi")


class KafkaSink(Section):
    """A Kafka topic that gets every log line besides."""

    brokers: Annotated[tuple[HostPort, ...], Field(strict=False, min_length=1, max_length=20)]
    """Host and port of each."""
    topic: KafkaTopic = "logs"
    """The topic."""


class ElasticsearchSink(Section):
    """An Elasticsearch index that gets every log line besides."""

    url: Url
    """Where it answers."""
    index: ElasticsearchIndex = "logs"
    """The index or data stream."""
    api_key: Secret | None = None
    """API key. Left out: none is asked for."""


class LogsSettings(Store):
    """Loki, and the agent on every node that brings it the pods' logs."""

    volume: Memory = "20Gi"
    """Size of the volume."""
    retention_days: Days = 14
    """How long lines are kept."""
    resources: ServerResources = _resources("100m", "192Mi", "1", "1Gi")
    kafka: KafkaSink | None = None
    """Left out: none."""
    elasticsearch: ElasticsearchSink | None = None
    """Left out: none."""


class TracesSettings(Store):
    """Jaeger. How many requests are traced is `config.tracing.sampleRatio`."""

    volume: Memory = "5Gi"
    """Size of the volume."""
    retention_days: Days = 3
    """How long traces are kept."""
    resources: ServerResources = _resources("50m", "128Mi", "500m", "512Mi")


class Receiver(Section):
    """Who is told. Both at once are allowed; neither: the alert is only shown."""

    webhook: Secret | None = None
    """URL that gets Alertmanager's JSON by POST."""
    slack: Secret | None = None
    """URL of a Slack incoming webhook."""


class AlertsSettings(Section):
    """Alertmanager."""

    page: Receiver = Receiver()
    """For what needs somebody now."""
    ticket: Receiver = Receiver()
    """For what can wait until tomorrow."""
    heartbeat: Secret | None = None
    """URL that is called every minute while alerting works: for a dead man's switch elsewhere."""
    group_wait_seconds: Annotated[int, Field(ge=0, le=600)] = 10
    """How long the first alert of a group waits for others."""
    repeat_hours: Annotated[int, Field(ge=1, le=168)] = 4
    """After how long an alert that still fires is told again."""
    volume: Memory = "1Gi"
    """Size of the volume that holds silences."""
    storage_class: DnsLabel | None = None
    """StorageClass. Left out: the cluster's default."""


class GrafanaSettings(Section):
    """Grafana, with data sources and dashboards provisioned."""

    enabled: bool = True
    """Off where its image cannot be pulled."""
    volume: Memory = "1Gi"
    """Size of the volume that holds what users save."""
    storage_class: DnsLabel | None = None
    """StorageClass. Left out: the cluster's default."""


class OperatorSettings(Section):
    """The kube-prometheus-stack that the cluster runs already."""

    release: LabelValue = "kube-prometheus-stack"
    """The label `release` that its Prometheus selects monitors and rules by."""
    collector: Url | None = None
    """OTLP/HTTP endpoint for traces, like http://collector.tracing:4318. Left out: no traces."""
    loki: Url | None = None
    """Loki with the service's logs, for Grafana. Left out: the cluster's Grafana knows one."""
    jaeger: Url | None = None
    """Jaeger with its traces, for Grafana. Left out: the cluster's Grafana knows one."""


class ObservabilitySettings(Section):
    """Metrics, alerts, dashboards, logs and traces of the service."""

    mode: Mode = "off"
    """`bundled`: servers are deployed. `operator`: the cluster has kube-prometheus-stack."""
    node_namespace: OwnNamespace = "monitoring-node"
    """Where what needs the nodes themselves runs; servers run in `network.monitoringNamespace`."""
    runbooks: Url = "https://example.com/slipway/docs/runbooks"
    """Where the folder `docs/runbooks` is read: the links of alerts lead there."""
    metrics: MetricsSettings = MetricsSettings()
    logs: LogsSettings = LogsSettings()
    traces: TracesSettings = TracesSettings()
    alerts: AlertsSettings = AlertsSettings()
    grafana: GrafanaSettings = GrafanaSettings()
    operator: OperatorSettings = OperatorSettings()


class LatencyObjective(Section):
    """Which share of the requests is answered how fast."""

    objective: Percentage = 99.0
    """Percent of requests."""
    threshold: Literal["25ms", "50ms", "80ms", "100ms", "250ms", "450ms", "500ms", "1s", "2.5s"] = (
        "250ms"
    )
    """Answered within: one of the bounds that the service's histogram counts by."""


class SloSettings(Section):
    """The service level objective: it drives alerts, dashboards and the canary's gate."""

    availability: Percentage = 99.9
    """Percent of requests that are not answered with a 5xx status."""
    latency: LatencyObjective | None = LatencyObjective()
    """`null`: none."""
    window_days: Annotated[int, Field(ge=7, le=90)] = 30
    """The days over which the objectives hold."""
