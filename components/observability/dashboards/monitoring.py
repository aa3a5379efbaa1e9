"""Dashboard of the monitoring servers themselves."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.builders.prometheus import Dataquery

from components.observability.addresses import (
    AGENT_METRICS,
    ALERTMANAGER,
    COLLECTOR_METRICS,
    JAEGER_METRICS,
    LOKI,
    PROMETHEUS,
)
from components.observability.dashboards.panels import Panel, graph, new_dashboard, query

_PROMETHEUS = f'job="{PROMETHEUS.server}"'
_ALERTMANAGER = f'job="{ALERTMANAGER.server}"'
_LOKI = f'job="{LOKI.server}"'
_COLLECTORS = f'job=~"{COLLECTOR_METRICS.server}|{AGENT_METRICS.server}"'


def monitoring_dashboard(monitoring_namespace: str) -> dashboard.Dashboard:
    """Scraping, rules, alerts, logs and traces, and the servers' resource usage."""
    return new_dashboard(
        "Monitoring: its own health",
        "Scraping, rules, alerts, pipelines of logs and traces, and the servers' resource usage.",
        {
            "Prometheus": _prometheus(),
            "Alerts": _alerts(),
            "Logs": _logs(),
            "Traces": _traces(),
            "Resource usage": _resource_usage(f'namespace="{monitoring_namespace}"'),
        },
        time_range="6h",
    )


def _rate(by: str, counter: str, matchers: str, legend: str) -> Dataquery:
    return query(f"sum by ({by}) (rate({counter}{{{matchers}}}[$__rate_interval]))", legend)


def _prometheus() -> tuple[Panel, ...]:
    panels = (
        graph(
            "Targets up",
            "Percentage of each job's targets whose last scrape succeeded.",
            "percentunit",
            query("avg by (job) (up)", "{{job}}"),
            thresholds=(1, 0.5),
        ).max(1),
        graph(
            "Scrape duration",
            "Maximum of each job.",
            "s",
            query("max by (job) (scrape_duration_seconds)", "{{job}}"),
            thresholds=(5, 10),
        ),
        graph(
            "Rule failures",
            "Failed rule evaluations and missed group evaluations per second: alerts may not fire.",
            "cps",
            _rate("job", "prometheus_rule_evaluation_failures_total", _PROMETHEUS, "failed"),
            _rate("job", "prometheus_rule_group_iterations_missed_total", _PROMETHEUS, "missed"),
            thresholds=(0.001, 0.1),
        ),
        graph(
            "Series",
            "Series in memory. A sudden rise means a label with too many values.",
            "short",
            query(f"prometheus_tsdb_head_series{{{_PROMETHEUS}}}", "series"),
        ),
    )
    return tuple(panel.span(6) for panel in panels)


def _alerts() -> tuple[Panel, ...]:
    panels = (
        graph(
            "Alerts",
            "Alerts in Alertmanager, by state. Watchdog is always active.",
            "short",
            query(f"sum by (state) (alertmanager_alerts{{{_ALERTMANAGER}}})", "{{state}}"),
        ),
        graph(
            "Notifications",
            "Notifications per second, by integration.",
            "cps",
            _rate(
                "integration",
                "alertmanager_notifications_total",
                _ALERTMANAGER,
                "{{integration}}",
            ),
            query(
                "sum by (integration) "
                f"(rate(alertmanager_notifications_failed_total{{{_ALERTMANAGER}}}"
                "[$__rate_interval])) > 0",
                "{{integration}} failed",
            ),
        ),
        graph(
            "Alert queue",
            "Alerts that Prometheus has not sent yet, and alerts dropped per second.",
            "short",
            query(f"prometheus_notifications_queue_length{{{_PROMETHEUS}}}", "queued"),
            _rate("job", "prometheus_notifications_dropped_total", _PROMETHEUS, "dropped"),
            thresholds=(1, 100),
        ),
    )
    return tuple(panel.span(8) for panel in panels)


def _logs() -> tuple[Panel, ...]:
    panels = (
        graph(
            "Lines received by Loki",
            "Log lines per second.",
            "cps",
            _rate("job", "loki_distributor_lines_received_total", _LOKI, "received"),
        ),
        graph(
            "Lines discarded by Loki",
            "Log lines per second, by reason. Agents retry lines that are rate_limited.",
            "cps",
            _rate("reason", "loki_discarded_samples_total", _LOKI, "{{reason}}"),
            thresholds=(0.001, 1),
        ),
        graph(
            "Latency of Loki",
            "99th percentile of the request duration, by route.",
            "s",
            query(
                "histogram_quantile(0.99, sum by (le, route) "
                f"(rate(loki_request_duration_seconds_bucket{{{_LOKI}}}[$__rate_interval])))",
                "{{route}}",
            ),
            thresholds=(1, 10),
        ),
        graph(
            "Lines sent by the agents",
            "Log records per second. Agents retry those that failed.",
            "cps",
            *_sent("log_records", AGENT_METRICS.server),
        ),
    )
    return tuple(panel.span(6) for panel in panels)


def _sent(signal: str, job: str) -> tuple[Dataquery, ...]:
    # Some versions of the collector add the suffix _total to counters.
    sent = f'__name__=~"otelcol_exporter_sent_{signal}(_total)?",job="{job}"'
    failed = f'__name__=~"otelcol_exporter_send_failed_{signal}(_total)?",job="{job}"'
    return (
        _rate("exporter", "", sent, "{{exporter}} sent"),
        _rate("exporter", "", failed, "{{exporter}} failed"),
    )


def _traces() -> tuple[Panel, ...]:
    accepted = f'__name__=~"otelcol_receiver_accepted_spans(_total)?",job="{JAEGER_METRICS.server}"'
    dropped = (
        '__name__=~"otelcol_processor_tail_sampling_count_spans_sampled(_total)?",'
        f'job="{COLLECTOR_METRICS.server}",sampled="false"'
    )
    panels = (
        graph(
            "Spans sent by the gateway",
            "Spans per second. Dropped are the traces for which Jaeger's volume has no space.",
            "cps",
            *_sent("spans", COLLECTOR_METRICS.server),
            _rate("job", "", dropped, "dropped"),
        ),
        graph(
            "Spans received by Jaeger",
            "Spans per second.",
            "cps",
            _rate("job", "", accepted, "accepted"),
        ),
        graph(
            "Collector queues",
            "Percentage of each queue's capacity. A full queue blocks its receivers.",
            "percentunit",
            query(
                f"sum by (job, exporter) (otelcol_exporter_queue_size{{{_COLLECTORS}}}) / "
                f"sum by (job, exporter) (otelcol_exporter_queue_capacity{{{_COLLECTORS}}})",
                "{{job}} {{exporter}}",
            ),
            thresholds=(0.5, 0.9),
        ).max(1),
    )
    return tuple(panel.span(8) for panel in panels)


def _resource_usage(namespace: str) -> tuple[Panel, ...]:
    pods = f'{namespace},pod!="",container=""'
    panels = (
        graph(
            "CPU usage",
            "CPU usage of each pod, in cores.",
            "suffix: cores",
            _rate("pod", "container_cpu_usage_seconds_total", pods, "{{pod}}"),
            stacked=True,
        ),
        graph(
            "Memory usage",
            "Working set of each pod.",
            "bytes",
            query(f"sum by (pod) (container_memory_working_set_bytes{{{pods}}})", "{{pod}}"),
            stacked=True,
        ),
        graph(
            "Volume usage",
            "Used percentage of each persistent volume.",
            "percentunit",
            query(
                "max by (persistentvolumeclaim) "
                f"(kubelet_volume_stats_used_bytes{{{namespace}}}) / "
                "max by (persistentvolumeclaim) "
                f"(kubelet_volume_stats_capacity_bytes{{{namespace}}})",
                "{{persistentvolumeclaim}}",
            ),
            thresholds=(0.8, 0.9),
        ).max(1),
    )
    return tuple(panel.span(8) for panel in panels)
