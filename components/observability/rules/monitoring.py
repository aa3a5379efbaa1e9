"""Whether the monitoring itself can be relied on."""

from components.observability import addresses
from components.observability.rule import Alert, Group

_PROMETHEUS = f'job="{addresses.PROMETHEUS.server}"'
_ALERTMANAGER = f'job="{addresses.ALERTMANAGER.server}"'
_LOKI = f'job="{addresses.LOKI.server}"'
_AGENT = f'job="{addresses.AGENT_METRICS.server}"'


def groups() -> tuple[Group, ...]:
    """Of everything that is scraped, and of each server that alerts or logs pass through."""
    return (
        Group("monitoring-heartbeat", (_watchdog(), _target_down())),
        Group("monitoring-prometheus", _prometheus()),
        Group("monitoring-alertmanager", _alertmanager()),
        Group("monitoring-loki", _loki()),
        Group("monitoring-collector", _collector()),
    )


def _watchdog() -> Alert:
    return Alert(
        "Watchdog",
        "none",
        "vector(1)",
        "Alerting works",
        "Always firing (value {{ $value }}): whoever no longer hears it knows that alerting has "
        "stopped.",
    )


def _target_down() -> Alert:
    return Alert(
        "TargetDown",
        "ticket",
        "count by (job) (up == 0) / count by (job) (up) > 0.1",
        "Targets do not answer Prometheus",
        "{{ $value | humanizePercentage }} of the targets of job {{ $labels.job }} have not "
        "answered a scrape for 10 minutes.",
        lasting="10m",
    )


def _prometheus() -> tuple[Alert, ...]:
    return (
        Alert(
            "RuleEvaluationFailing",
            "page",
            "sum by (rule_group) "
            f"(increase(prometheus_rule_evaluation_failures_total{{{_PROMETHEUS}}}[5m])) > 0",
            "Rules cannot be evaluated",
            '{{ printf "%.0f" $value }} evaluations in group {{ $labels.rule_group }} failed in '
            "5 minutes: what it alerts about, nobody is told.",
            lasting="5m",
        ),
        Alert(
            "RuleGroupTooSlow",
            "ticket",
            "sum by (rule_group) "
            f"(increase(prometheus_rule_group_iterations_missed_total{{{_PROMETHEUS}}}[5m])) > 0",
            "Rules take longer than their interval",
            'Group {{ $labels.rule_group }} missed {{ printf "%.0f" $value }} evaluations in '
            "5 minutes.",
            lasting="15m",
        ),
        Alert(
            "PrometheusConfigReloadFailed",
            "ticket",
            f"min by (job) (prometheus_config_last_reload_successful{{{_PROMETHEUS}}}) == 0",
            "Prometheus refused its new configuration",
            "Prometheus goes on with its old configuration and rules (last reload successful: "
            "{{ $value }}).",
            lasting="5m",
        ),
        Alert(
            "PrometheusStorageFailing",
            "ticket",
            _any_of(
                _PROMETHEUS,
                "1h",
                "prometheus_tsdb_compactions_failed_total",
                "prometheus_tsdb_reloads_failures_total",
                "prometheus_tsdb_head_truncations_failed_total",
                "prometheus_tsdb_wal_corruptions_total",
                "prometheus_tsdb_wal_truncations_failed_total",
                "prometheus_tsdb_wal_writes_failed_total",
            ),
            "Prometheus has trouble with its storage",
            '{{ printf "%.0f" $value }} compactions, reloads, truncations or writes of Prometheus '
            "failed within an hour: samples may be lost.",
        ),
        Alert(
            "AlertsNotDelivered",
            "page",
            _any_of(
                _PROMETHEUS,
                "5m",
                "prometheus_notifications_errors_total",
                "prometheus_notifications_dropped_total",
            )
            + "\nor\n"
            "max by (job) "
            f"(prometheus_notifications_alertmanagers_discovered{{{_PROMETHEUS}}}) < 1",
            "Alerts do not reach Alertmanager",
            "Prometheus finds no Alertmanager, or could not hand it its alerts "
            "(value {{ $value | humanize }}).",
            lasting="5m",
        ),
    )


def _alertmanager() -> tuple[Alert, ...]:
    return (
        Alert(
            "AlertmanagerConfigReloadFailed",
            "ticket",
            f"min by (job) (alertmanager_config_last_reload_successful{{{_ALERTMANAGER}}}) == 0",
            "Alertmanager refused its new configuration",
            "Alertmanager goes on with its old receivers and routes (last reload successful: "
            "{{ $value }}).",
            lasting="5m",
        ),
        Alert(
            "NotificationsFailing",
            "page",
            "sum by (integration) "
            f"(rate(alertmanager_notifications_failed_total{{{_ALERTMANAGER}}}[5m]))\n"
            "/\n"
            "sum by (integration) "
            f"(rate(alertmanager_notifications_total{{{_ALERTMANAGER}}}[5m]))\n"
            "> 0.01",
            "Notifications do not reach people",
            "{{ $value | humanizePercentage }} of the notifications by {{ $labels.integration }} "
            "fail.",
            lasting="5m",
        ),
    )


def _loki() -> tuple[Alert, ...]:
    requests = "loki_request_duration_seconds_count"
    return (
        Alert(
            "LokiRequestErrors",
            "ticket",
            "sum by (route) "
            f'(rate({requests}{{{_LOKI},status_code=~"5.."}}[5m]))\n'
            "/\n"
            f"sum by (route) (rate({requests}{{{_LOKI}}}[5m]))\n"
            "> 0.1",
            "Loki fails requests",
            "{{ $value | humanizePercentage }} of the requests to {{ $labels.route }} fail: logs "
            "wait in the agents, or cannot be read.",
            lasting="10m",
        ),
        Alert(
            "LokiDiscardingLogs",
            "ticket",
            f"sum by (reason) (increase(loki_discarded_samples_total{{{_LOKI}}}[5m])) > 0",
            "Loki refuses log lines",
            '{{ printf "%.0f" $value }} lines were discarded in 5 minutes: {{ $labels.reason }}.',
            lasting="5m",
        ),
        Alert(
            "LokiStorageFailing",
            "ticket",
            _any_of(
                _LOKI,
                "15m",
                "loki_ingester_chunks_flush_failures_total",
                "loki_ingester_wal_disk_full_failures_total",
                "loki_ingester_wal_corruptions_total",
            ),
            "Loki cannot store logs",
            '{{ printf "%.0f" $value }} flushes or writes of Loki failed in 15 minutes.',
            lasting="5m",
        ),
    )


def _collector() -> tuple[Alert, ...]:
    return (
        Alert(
            "CollectorRefusingData",
            "ticket",
            _collected("receiver_refused", "receiver"),
            "A collector refuses data",
            '{{ $labels.job }} ({{ $labels.receiver }}) refuses {{ printf "%.1f" $value }} spans '
            "or log records a second: it is out of memory, or what it sends to is.",
            lasting="5m",
        ),
        Alert(
            "CollectorDroppingData",
            "ticket",
            f"{_collected('exporter_send_failed', 'exporter')}\n"
            "or\n"
            f"{_collected('exporter_enqueue_failed', 'exporter')}",
            "A collector loses data",
            '{{ $labels.job }} gives up {{ printf "%.1f" $value }} spans or log records a '
            "second that {{ $labels.exporter }} did not take.",
            lasting="5m",
        ),
        Alert(
            "CollectorQueueFilling",
            "ticket",
            "max by (job, instance, exporter) (\n"
            "  otelcol_exporter_queue_size / otelcol_exporter_queue_capacity\n"
            ") > 0.8",
            "A collector's queue fills up",
            "The queue of {{ $labels.exporter }} in {{ $labels.job }} ({{ $labels.instance }}) is "
            "{{ $value | humanizePercentage }} full.",
            lasting="5m",
        ),
        Alert(
            "LogAgentLagging",
            "ticket",
            "max by (instance, exporter) (\n"
            f"  min_over_time(otelcol_exporter_queue_size{{{_AGENT}}}[10m])\n"
            ") > 0",
            "A log agent does not keep up",
            "The agent {{ $labels.instance }} has not emptied its queue to {{ $labels.exporter }} "
            "for 10 minutes (at least {{ $value }} waiting): logs arrive late.",
            lasting="5m",
        ),
    )


def _any_of(server: str, span: str, *counters: str) -> str:
    """How much one of them has grown."""
    return "\nor\n".join(
        f"sum by (job) (increase({counter}{{{server}}}[{span}])) > 0" for counter in counters
    )


def _collected(what: str, part: str) -> str:
    """More than nothing per second. Whether names end in ``_total`` is for the exporter to say."""
    return "\nor\n".join(
        f'sum by (job, {part}) (rate({{__name__=~"otelcol_{what}_{kind}(_total)?"}}[5m])) > 0'
        for kind in ("log_records", "spans")
    )
