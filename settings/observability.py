"""``slipway:observability``."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import MISSING, FieldError
from settings.proxy_metrics import ProxyMetrics
from settings.quantities import Memory, format_mebibytes, parse_quantity
from settings.resources import ResourceList, ResourceRequirements
from settings.secret import SecretToken, SecretUrl
from settings.section import Section
from settings.string_formats import (
    DnsLabel,
    ElasticsearchIndex,
    HostPort,
    KafkaTopic,
    LabelValue,
    OwnNamespace,
    Url,
)

Mode = Literal["bundled", "operator", "off"]
Days = Annotated[int, Field(ge=1, le=3650)]

_STORED_SPAN_BYTES = Decimal(2048)
"""Space for a span and its index entries. Measured: 1,040 bytes for a request
with 13 attributes, and 3 more for each character of further attributes."""
_TRACES_SHARE = Decimal("0.8")
"""Fraction of the volume for spans. The rest is for Badger's write-ahead logs and compactions."""
_MIN_SPANS_PER_SECOND = 1


def _resources(cpu: str, memory: str, cpu_limit: str, memory_limit: str) -> ResourceRequirements:
    return ResourceRequirements(
        requests=ResourceList(cpu=cpu, memory=memory),
        limits=ResourceList(cpu=cpu_limit, memory=memory_limit),
    )


class Storage(Section):
    """Persistent volume of a server."""

    volume_size: Memory
    """Size of the persistent volume."""
    storage_class_name: DnsLabel | None = None
    """StorageClass of a new volume; an existing one keeps its class and its data. Default: the
    cluster's default class."""


class MetricsSettings(Storage):
    """Prometheus."""

    volume_size: Memory = "20Gi"
    """Size of the persistent volume. Above 90 percent, the oldest metrics are deleted early."""
    retention_days: Days = 30
    """Retention of metrics, in days: at least `slo.windowDays`."""
    scrape_interval_seconds: Annotated[int, Field(ge=5, le=120)] = 15
    """Scrape and rule evaluation interval, in seconds."""
    resources: ResourceRequirements = _resources("100m", "256Mi", "1", "1Gi")


class KafkaSink(Section):
    """Kafka topic for log lines."""

    brokers: Annotated[tuple[HostPort, ...], Field(strict=False, min_length=1, max_length=20)]
    """Addresses of the brokers."""
    topic: KafkaTopic = "logs"
    """Topic. With `transport: kafka`, each stack needs one of its own."""


class ElasticsearchSink(Section):
    """Elasticsearch index for log lines, in addition to Loki."""

    url: Url
    """URL of Elasticsearch."""
    index: ElasticsearchIndex = "logs"
    """Index or data stream."""
    api_key: SecretToken | None = None
    """API key. Default: no authentication."""


class LogsSettings(Storage):
    """Loki, and the agent on each node that collects the pods' logs."""

    volume_size: Memory = "20Gi"
    """Size of the persistent volume."""
    retention_days: Days = 14
    """Retention of logs, in days."""
    resources: ResourceRequirements = _resources("100m", "192Mi", "1", "1Gi")
    transport: Literal["direct", "kafka"] = "direct"
    """`direct`: the agents send lines to Loki, and to `kafka` and `elasticsearch` too. `kafka`: the
    agents send them to `kafka` only, and a consumer reads them there and sends them to Loki and
    `elasticsearch`."""
    kafka: KafkaSink | None = None
    """Default: none. Required by `transport: kafka`."""
    elasticsearch: ElasticsearchSink | None = None
    """Default: none."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.transport == "kafka" and self.kafka is None:
            yield FieldError("kafka", MISSING, "the brokers, because transport is kafka")


class TracesSettings(Storage):
    """Jaeger. `tracing.sampleRatio` of a service is the fraction of its traced requests."""

    volume_size: Memory = "20Gi"
    """Size of the persistent volume. Divided by `retentionDays`, it limits the spans that are
    stored per second: 2 KiB are reserved for a span. Traces above the limit are dropped."""
    retention_days: Days = 3
    """Retention of traces, in days."""
    resources: ResourceRequirements = _resources("50m", "128Mi", "500m", "512Mi")

    @property
    def spans_per_second(self) -> float:
        """Mean rate at which stored spans fill the volume within the retention."""
        stored = parse_quantity(self.volume_size) * _TRACES_SHARE / _STORED_SPAN_BYTES
        return float(stored / self._retention_seconds)

    @property
    def _retention_seconds(self) -> int:
        return self.retention_days * 24 * 3600

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.spans_per_second < _MIN_SPANS_PER_SECOND:
            stored = _STORED_SPAN_BYTES * self._retention_seconds * _MIN_SPANS_PER_SECOND
            minimum = format_mebibytes(stored / _TRACES_SHARE)
            allowed = f"at least {minimum} for one span per second with retentionDays "
            yield FieldError("volumeSize", self.volume_size, f"{allowed}{self.retention_days}")


class Receiver(Section):
    """Alertmanager receiver. Without a URL, alerts are shown but nobody is notified."""

    webhook: SecretUrl | None = None
    """URL for Alertmanager's webhook notifications."""
    slack: SecretUrl | None = None
    """URL of a Slack incoming webhook."""


class OwnerReceivers(Section):
    """Receivers of the alerts of an owner's services."""

    page: Receiver = Receiver.model_construct()
    """Receiver of alerts with severity page."""
    ticket: Receiver = Receiver.model_construct()
    """Receiver of alerts with severity ticket."""


class AlertsSettings(Storage):
    """Alertmanager."""

    volume_size: Memory = "1Gi"
    """Size of the persistent volume for silences."""
    page: Receiver = Receiver.model_construct()
    """Receiver of alerts with severity page: they need immediate action."""
    ticket: Receiver = Receiver.model_construct()
    """Receiver of alerts with severity ticket: they can wait for working hours."""
    owners: Annotated[dict[LabelValue, OwnerReceivers], Field(max_length=100)] = {}
    """Receivers by `owner` of a service, instead of the ones above."""
    heartbeat: SecretUrl | None = None
    """URL of an external dead man's switch, requested every minute while alerting works."""
    group_wait_seconds: Annotated[int, Field(ge=0, le=600)] = 10
    """Seconds before the first notification for a group of alerts."""
    repeat_interval_hours: Annotated[int, Field(ge=1, le=168)] = 4
    """Hours before a notification for a firing alert is repeated."""


class GrafanaSettings(Storage):
    """Grafana with provisioned data sources and dashboards."""

    enabled: bool = True
    """Enables Grafana. Disable it where its image cannot be pulled."""
    volume_size: Memory = "1Gi"
    """Size of the persistent volume for users' dashboards and preferences."""


class OperatorSettings(Section):
    """Existing kube-prometheus-stack, with `observability.mode: operator`."""

    release: LabelValue = "kube-prometheus-stack"
    """Value of the label `release` by which its Prometheus selects monitors and rules."""
    prometheus_url: Url | None = None
    """URL of Prometheus for the gates of releases. Default: the operator's Service
    `prometheus-operated` in `network.monitoringNamespace`."""
    otlp_endpoint: Url | None = None
    """OTLP/HTTP endpoint for traces, like http://collector.tracing:4318. Default: no tracing."""
    loki_url: Url | None = None
    """URL of Loki for a Grafana data source. Default: no data source."""
    jaeger_url: Url | None = None
    """URL of Jaeger for a Grafana data source. Default: no data source."""


class ObservabilitySettings(Section):
    """Metrics, alerts, dashboards, logs and traces."""

    mode: Mode = "off"
    """`bundled` deploys all servers. `operator` uses the cluster's kube-prometheus-stack."""
    node_namespace: OwnNamespace = "monitoring-node"
    """Namespace of the node agents. Servers run in `network.monitoringNamespace`."""
    runbook_base_url: Url = "https://example.com/slipway/docs/runbooks"
    """Base URL of the runbooks in `docs/runbooks`, for links in alerts."""
    metrics: MetricsSettings = MetricsSettings.model_construct()
    logs: LogsSettings = LogsSettings.model_construct()
    traces: TracesSettings = TracesSettings.model_construct()
    alerts: AlertsSettings = AlertsSettings.model_construct()
    proxy: ProxyMetrics = ProxyMetrics.model_construct()
    grafana: GrafanaSettings = GrafanaSettings.model_construct()
    operator: OperatorSettings = OperatorSettings.model_construct()
