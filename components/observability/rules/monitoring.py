"""Alerts on Prometheus, Alertmanager, Loki and the collectors themselves."""

from components.observability import addresses
from components.observability.rule import Rule, RuleGroup, alert, rule_group

_PROMETHEUS = f'job="{addresses.PROMETHEUS.server}"'
_ALERTMANAGER = f'job="{addresses.ALERTMANAGER.server}"'
_LOKI = f'job="{addresses.LOKI.server}"'
_AGENT = f'job="{addresses.AGENT_METRICS.server}"'
_CONSUMER = f'job="{addresses.LOG_CONSUMER_METRICS.server}"'
_GATEWAY = f'job="{addresses.COLLECTOR_METRICS.server}"'


def monitoring_rules() -> list[RuleGroup]:
    """Alerts on all scrape targets and on each server that processes alerts, logs or traces."""
    return [
        rule_group("monitoring-heartbeat", [_watchdog(), _target_down()]),
        rule_group("monitoring-prometheus", _prometheus()),
        rule_group("monitoring-alertmanager", _alertmanager()),
        rule_group("monitoring-loki", _loki()),
        rule_group("monitoring-collector", _collector()),
        rule_group("monitoring-jaeger", [_traces_dropped()]),
    ]


def _watchdog() -> Rule:
    return alert(
        "Watchdog",
        "none",
        "vector(1)",
        "Alerting works",
        "Always firing (value {{ $value }}), so that an external dead man's switch notices when "
        "alerting stops.",
    )


def _target_down() -> Rule:
    return alert(
        "TargetDown",
        "ticket",
        "count by (job) (up == 0) / count by (job) (up) > 0.1",
        "Prometheus cannot scrape targets",
        "{{ $value | humanizePercentage }} of the targets of job {{ $labels.job }} have been down "
        "for 10 minutes.",
        for_="10m",
    )


def _prometheus() -> list[Rule]:
    return [
        alert(
            "RuleEvaluationFailing",
            "page",
            "sum by (rule_group) "
            f"(increase(prometheus_rule_evaluation_failures_total{{{_PROMETHEUS}}}[5m])) > 0",
            "Prometheus fails to evaluate rules",
            '{{ printf "%.0f" $value }} evaluations in group {{ $labels.rule_group }} failed in '
            "5 minutes: its alerts do not fire.",
            for_="5m",
        ),
        alert(
            "RuleGroupTooSlow",
            "ticket",
            "sum by (rule_group) "
            f"(increase(prometheus_rule_group_iterations_missed_total{{{_PROMETHEUS}}}[5m])) > 0",
            "Rule evaluation takes longer than its interval",
            'Group {{ $labels.rule_group }} missed {{ printf "%.0f" $value }} evaluations in '
            "5 minutes.",
            for_="15m",
        ),
        alert(
            "PrometheusConfigReloadFailed",
            "ticket",
            f"min by (job) (prometheus_config_last_reload_successful{{{_PROMETHEUS}}}) == 0",
            "Prometheus rejected its new configuration",
            "Prometheus still uses its previous configuration and rules (last reload successful: "
            "{{ $value }}).",
            for_="5m",
        ),
        alert(
            "PrometheusStorageFailing",
            "ticket",
            _any_increase(
                _PROMETHEUS,
                "1h",
                "prometheus_tsdb_compactions_failed_total",
                "prometheus_tsdb_reloads_failures_total",
                "prometheus_tsdb_head_truncations_failed_total",
                "prometheus_tsdb_wal_corruptions_total",
                "prometheus_tsdb_wal_truncations_failed_total",
                "prometheus_tsdb_wal_writes_failed_total",
            ),
            "Prometheus has storage errors",
            '{{ printf "%.0f" $value }} compactions, reloads, truncations or writes of the TSDB '
            "failed within an hour: samples may be lost.",
        ),
        alert(
            "AlertsNotDelivered",
            "page",
            _any_increase(
                _PROMETHEUS,
                "5m",
                "prometheus_notifications_errors_total",
                "prometheus_notifications_dropped_total",
            )
            + "\nor\n"
            "max by (job) "
            f"(prometheus_notifications_alertmanagers_discovered{{{_PROMETHEUS}}}) < 1",
            "Prometheus cannot send alerts to Alertmanager",
            "Prometheus has discovered no Alertmanager, or failed to send it alerts "
            "(value {{ $value | humanize }}).",
            for_="5m",
        ),
    ]


def _alertmanager() -> list[Rule]:
    return [
        alert(
            "AlertmanagerConfigReloadFailed",
            "ticket",
            f"min by (job) (alertmanager_config_last_reload_successful{{{_ALERTMANAGER}}}) == 0",
            "Alertmanager rejected its new configuration",
            "Alertmanager still uses its previous receivers and routes (last reload successful: "
            "{{ $value }}).",
            for_="5m",
        ),
        alert(
            "NotificationsFailing",
            "page",
            "sum by (integration) "
            f"(rate(alertmanager_notifications_failed_total{{{_ALERTMANAGER}}}[5m]))\n"
            "/\n"
            "sum by (integration) "
            f"(rate(alertmanager_notifications_total{{{_ALERTMANAGER}}}[5m]))\n"
            "> 0.01",
            "Alertmanager fails to send notifications",
            "{{ $value | humanizePercentage }} of the notifications through "
            "{{ $labels.integration }} fail.",
            for_="5m",
        ),
    ]


def _loki() -> list[Rule]:
    requests = "loki_request_duration_seconds_count"
    return [
        alert(
            "LokiRequestErrors",
            "ticket",
            "sum by (route) "
            f'(rate({requests}{{{_LOKI},status_code=~"5.."}}[5m]))\n'
            "/\n"
            f"sum by (route) (rate({requests}{{{_LOKI}}}[5m]))\n"
            "> 0.1",
            "Requests to Loki fail",
            "{{ $value | humanizePercentage }} of the requests to {{ $labels.route }} fail: logs "
            "queue in the agents, or cannot be queried.",
            for_="10m",
        ),
        alert(
            "LokiDiscardingLogs",
            "ticket",
            f"sum by (reason) (increase(loki_discarded_samples_total{{{_LOKI}}}[5m])) > 0",
            "Loki discards log lines",
            '{{ printf "%.0f" $value }} lines were discarded in 5 minutes: {{ $labels.reason }}.',
            for_="5m",
        ),
        alert(
            "LokiStorageFailing",
            "ticket",
            _any_increase(
                _LOKI,
                "15m",
                "loki_ingester_chunks_flush_failures_total",
                "loki_ingester_wal_disk_full_failures_total",
                "loki_ingester_wal_corruptions_total",
            ),
            "Loki has storage errors",
            '{{ printf "%.0f" $value }} flushes or writes of Loki failed in 15 minutes.',
            for_="5m",
        ),
    ]


def _collector() -> list[Rule]:
    return [
        alert(
            "CollectorRefusingData",
            "ticket",
            _collector_rate("receiver_refused", "receiver"),
            "A collector refuses data",
            '{{ $labels.job }} ({{ $labels.receiver }}) refuses {{ printf "%.1f" $value }} spans '
            "or log records per second: it is at its memory limit, or its exporter cannot send.",
            for_="5m",
        ),
        alert(
            "CollectorDroppingData",
            "ticket",
            f"{_collector_rate('exporter_send_failed', 'exporter')}\n"
            "or\n"
            f"{_collector_rate('exporter_enqueue_failed', 'exporter')}",
            "A collector drops data",
            '{{ $labels.job }} drops {{ printf "%.1f" $value }} spans or log records per second '
            "that it could not send to {{ $labels.exporter }}.",
            for_="5m",
        ),
        alert(
            "CollectorQueueFilling",
            "ticket",
            "max by (job, instance, exporter) (\n"
            "  otelcol_exporter_queue_size / otelcol_exporter_queue_capacity\n"
            ") > 0.8",
            "The queue of a collector is filling up",
            "The queue of {{ $labels.exporter }} in {{ $labels.job }} ({{ $labels.instance }}) is "
            "{{ $value | humanizePercentage }} full.",
            for_="5m",
        ),
        alert(
            "LogAgentLagging",
            "ticket",
            "max by (instance, exporter) (\n"
            f"  min_over_time(otelcol_exporter_queue_size{{{_AGENT}}}[10m])\n"
            ") > 0",
            "A log agent is lagging behind",
            "The queue of agent {{ $labels.instance }} to {{ $labels.exporter }} has not been "
            "empty for 10 minutes (at least {{ $value }} batches): logs arrive late.",
            for_="5m",
        ),
        alert(
            "LogConsumerLagging",
            "ticket",
            "max by (topic, name) (\n"
            # Some versions of the collector add the suffix _ratio.
            '  min_over_time({__name__=~"otelcol_kafka_receiver_offset_lag(_ratio)?",'
            f"{_CONSUMER}}}[10m])\n"
            ") > 0",
            "The log consumer is lagging behind",
            '{{ printf "%.0f" $value }} batches of log lines in the topic {{ $labels.topic }} have '
            "been waiting for {{ $labels.name }} for 10 minutes: logs arrive late.",
            for_="5m",
        ),
    ]


def _traces_dropped() -> Rule:
    dropped = '{__name__=~"otelcol_processor_tail_sampling_count_spans_sampled(_total)?",'
    received = '{__name__=~"otelcol_receiver_accepted_spans(_total)?",'
    return alert(
        "TracesDropped",
        "ticket",
        f'sum by (job) (rate({dropped}{_GATEWAY},sampled="false"}}[15m]))\n'
        "/\n"
        f"sum by (job) (rate({received}{_GATEWAY}}}[15m]))\n"
        "> 0.05",
        "Traces are dropped: Jaeger's volume is too small for them",
        "The volume of Jaeger has no space for {{ $value | humanizePercentage }} of the spans of "
        "the last 15 minutes at its retention: their traces are not stored.",
        for_="15m",
    )


def _any_increase(matchers: str, range_: str, *counters: str) -> str:
    return "\nor\n".join(
        f"sum by (job) (increase({counter}{{{matchers}}}[{range_}])) > 0" for counter in counters
    )


def _collector_rate(counter: str, by: str) -> str:
    """Rate above 0 of a counter of the collector, whose name may end in ``_total``."""
    return "\nor\n".join(
        f'sum by (job, {by}) (rate({{__name__=~"otelcol_{counter}_{signal}(_total)?"}}[5m])) > 0'
        for signal in ("log_records", "spans")
    )
