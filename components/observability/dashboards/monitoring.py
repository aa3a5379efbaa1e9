"""The monitoring itself: whether what the other dashboards show can be relied on."""

from components.observability.addresses import (
    AGENT_METRICS,
    ALERTMANAGER,
    COLLECTOR_METRICS,
    JAEGER_METRICS,
    LOKI,
    PROMETHEUS,
)
from components.observability.dashboards.panel import Bounds, Dashboard, Panel, Promql, Row
from components.observability.dashboards.scope import Scope

_NONE_FAILED = "none ever failed"
_COLLECTORS = f"{COLLECTOR_METRICS.server}|{AGENT_METRICS.server}"


def dashboard(scope: Scope) -> Dashboard:
    """The dashboard of the servers."""
    return Dashboard(
        "monitoring",
        "Monitoring: its own health",
        "Targets, rules, alerts, logs and traces on their way, and what the servers use.",
        rows=(
            Row("Prometheus", _prometheus()),
            Row("Alerts", _alerts()),
            Row("Logs", _logs()),
            Row("Traces", _traces()),
            Row("What the servers use", _use(scope)),
        ),
        since="6h",
    )


def _prometheus() -> tuple[Panel, ...]:
    job = f'job="{PROMETHEUS.server}"'
    return (
        Panel(
            "Targets up",
            "Share of each job's targets that could be read at the last try.",
            "percentunit",
            (Promql("avg by (job) (up)", "{{job}}"),),
            bounds=Bounds(1, 0.5),
            width=6,
            highest=1,
        ),
        Panel(
            "Slowest scrapes",
            "Time that the slowest target of each job took to answer.",
            "s",
            (Promql("max by (job) (scrape_duration_seconds)", "{{job}}"),),
            bounds=Bounds(5, 10),
            width=6,
        ),
        Panel(
            "Rule failures",
            "Evaluations per second that failed, and groups whose evaluation was left out. Alerts "
            "cannot be trusted while there are any.",
            "cps",
            (
                Promql(
                    "sum by (job) "
                    f"(rate(prometheus_rule_evaluation_failures_total{{{job}}}[$__rate_interval]))",
                    "failed",
                ),
                Promql(
                    "sum by (job) (rate("
                    f"prometheus_rule_group_iterations_missed_total{{{job}}}[$__rate_interval]))",
                    "left out",
                ),
            ),
            bounds=Bounds(0.001, 0.1),
            width=6,
        ),
        Panel(
            "Series",
            "Series in memory. A jump is a label with too many values.",
            "short",
            (Promql(f"prometheus_tsdb_head_series{{{job}}}", "series"),),
            width=6,
        ),
    )


def _alerts() -> tuple[Panel, ...]:
    job = f'job="{ALERTMANAGER.server}"'
    return (
        Panel(
            "Alerts",
            "Alerts that Alertmanager holds. The dead-man's switch is always among the active.",
            "short",
            (Promql(f"sum by (state) (alertmanager_alerts{{{job}}})", "{{state}}"),),
            width=8,
        ),
        Panel(
            "Notifications",
            "Messages per second, by kind of receiver; those that failed reached nobody.",
            "cps",
            (
                Promql(
                    "sum by (integration) "
                    f"(rate(alertmanager_notifications_total{{{job}}}[$__rate_interval]))",
                    "{{integration}}",
                ),
                Promql(
                    "sum by (integration) "
                    f"(rate(alertmanager_notifications_failed_total{{{job}}}[$__rate_interval]))"
                    " > 0",
                    "{{integration}} failed",
                    empty=_NONE_FAILED,
                ),
            ),
            width=8,
        ),
        Panel(
            "Alerts on their way",
            "Alerts that Prometheus has still to send, and those that it dropped per second.",
            "short",
            (
                Promql(
                    f'prometheus_notifications_queue_length{{job="{PROMETHEUS.server}"}}',
                    "waiting",
                ),
                Promql(
                    "sum by (job) (rate(prometheus_notifications_dropped_total"
                    f'{{job="{PROMETHEUS.server}"}}[$__rate_interval]))',
                    "dropped",
                ),
            ),
            bounds=Bounds(1, 100),
            width=8,
        ),
    )


def _logs() -> tuple[Panel, ...]:
    job = f'job="{LOKI.server}"'
    return (
        Panel(
            "Lines into Loki",
            "Log lines per second that arrive.",
            "cps",
            (
                Promql(
                    "sum by (job) "
                    f"(rate(loki_distributor_lines_received_total{{{job}}}[$__rate_interval]))",
                    "received",
                ),
            ),
            width=6,
        ),
        Panel(
            "Lines that Loki refused",
            "Log lines per second, by reason. Those of rate_limited are sent again.",
            "cps",
            (
                Promql(
                    "sum by (reason) "
                    f"(rate(loki_discarded_samples_total{{{job}}}[$__rate_interval]))",
                    "{{reason}}",
                    empty="none was ever refused",
                ),
            ),
            bounds=Bounds(0.001, 1),
            width=6,
        ),
        Panel(
            "Loki's answers",
            "99 percent of the requests were faster, by route.",
            "s",
            (
                Promql(
                    "histogram_quantile(0.99, sum by (le, route) "
                    f"(rate(loki_request_duration_seconds_bucket{{{job}}}[$__rate_interval])))",
                    "{{route}}",
                ),
            ),
            bounds=Bounds(1, 10),
            width=6,
        ),
        Panel(
            "Lines from the agents",
            "Log records per second that the agents sent and could not send. What could not be "
            "sent is tried again.",
            "cps",
            _sent("log_records", AGENT_METRICS.server),
            width=6,
        ),
    )


def _sent(what: str, job: str) -> tuple[Promql, ...]:
    """What a collector's exporters did with it; metric names have had a suffix and had none."""
    return (
        Promql(
            "sum by (exporter) (rate("
            f'{{__name__=~"otelcol_exporter_sent_{what}(_total)?",job="{job}"}}[$__rate_interval]))',
            "{{exporter}} sent",
            empty="nothing was sent yet",
        ),
        Promql(
            "sum by (exporter) (rate("
            f'{{__name__=~"otelcol_exporter_send_failed_{what}(_total)?",job="{job}"}}'
            "[$__rate_interval]))",
            "{{exporter}} failed",
            empty=_NONE_FAILED,
        ),
    )


def _traces() -> tuple[Panel, ...]:
    return (
        Panel(
            "Spans through the gateway",
            "Spans per second that the gateway handed on and could not hand on.",
            "cps",
            _sent("spans", COLLECTOR_METRICS.server),
            width=8,
        ),
        Panel(
            "Spans into Jaeger",
            "Spans per second that Jaeger took in.",
            "cps",
            (
                Promql(
                    'sum by (job) (rate({__name__=~"otelcol_receiver_accepted_spans(_total)?",'
                    f'job="{JAEGER_METRICS.server}"}}[$__rate_interval]))',
                    "accepted",
                    empty="no request was traced yet",
                ),
            ),
            width=8,
        ),
        Panel(
            "Queues of the collectors",
            "Share of each queue that is filled. A full one holds its senders back.",
            "percentunit",
            (
                Promql(
                    "sum by (job, exporter) "
                    f'(otelcol_exporter_queue_size{{job=~"{_COLLECTORS}"}}) / '
                    "sum by (job, exporter) "
                    f'(otelcol_exporter_queue_capacity{{job=~"{_COLLECTORS}"}})',
                    "{{job}} {{exporter}}",
                ),
            ),
            bounds=Bounds(0.5, 0.9),
            width=8,
            highest=1,
        ),
    )


def _use(scope: Scope) -> tuple[Panel, ...]:
    pods = f'namespace="{scope.monitoring}",pod!="",container=""'
    volumes = f'namespace="{scope.monitoring}"'
    return (
        Panel(
            "CPU",
            "Cores that each server uses.",
            "suffix: cores",
            (
                Promql(
                    "sum by (pod) (rate("
                    f"container_cpu_usage_seconds_total{{{pods}}}[$__rate_interval]))",
                    "{{pod}}",
                ),
            ),
            width=8,
            stacked=True,
        ),
        Panel(
            "Memory",
            "Memory of each server that cannot be freed.",
            "bytes",
            (
                Promql(
                    f"sum by (pod) (container_memory_working_set_bytes{{{pods}}})",
                    "{{pod}}",
                ),
            ),
            width=8,
            stacked=True,
        ),
        Panel(
            "Volumes used",
            "Share of each volume. A full one loses what comes next.",
            "percentunit",
            (
                Promql(
                    "max by (persistentvolumeclaim) "
                    f"(kubelet_volume_stats_used_bytes{{{volumes}}}) / "
                    "max by (persistentvolumeclaim) "
                    f"(kubelet_volume_stats_capacity_bytes{{{volumes}}})",
                    "{{persistentvolumeclaim}}",
                    empty="the volumes are folders of the node, which the kubelet does not measure",
                ),
            ),
            bounds=Bounds(0.8, 0.9),
            width=8,
            highest=1,
        ),
    )
