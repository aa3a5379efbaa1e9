"""Rules about a service: its requests, its pods, their resource usage and its own alerts."""

from components.observability.monitored_service import MonitoredService
from components.observability.queries import PODS, WINDOW
from components.observability.request_metrics.request_metrics import rename_labels
from components.observability.rule import Rule, RuleGroup, alert, recording_rule, rule_group
from settings import ServiceAlert
from settings.prometheus_formats import SELECTOR

_POD = "{{ $labels.namespace }}/{{ $labels.pod }}"
_GATE_INTERVAL = "5s"
"""A gate of a release sees a fault at most this long after the scrape."""
_MAX_IN_FLIGHT = 100
"""Concurrent requests per pod, far more than its CPU limit can process."""


def service_rules(service: MonitoredService) -> list[RuleGroup]:
    """Recorded series of the service's requests and pods, and alerts on the pods of all tracks."""
    requests = service.requests.rules() if service.requests else ()
    groups = [
        rule_group("service-requests", [_ready_pods(service), *requests], "15s"),
        rule_group("service-pods", _pods(service)),
        rule_group("service-saturation", _saturation(service)),
    ]
    if service.requests and service.gate_window not in (None, WINDOW):
        gates = service.requests.rules(service.gate_window)
        groups.append(rule_group("service-gates", gates, _GATE_INTERVAL))
    if service.metrics:
        groups.append(rule_group("service-metrics", _metrics(service)))
    if service.alerts:
        own = [_own_alert(service, settings) for settings in service.alerts]
        groups.append(rule_group("service-own", own))
    return groups


def _ready_pods(service: MonitoredService) -> Rule:
    """Ready pods by track and version.

    Without the labels of pods in kube-state-metrics, those that Prometheus scrapes.
    """
    namespace = f'namespace="{service.namespace}"'
    names = "|".join(service.roles.pod_names)
    labels = f'{namespace},label_app_kubernetes_io_name=~"{names}",label_track!=""'
    pods = (
        "max by (namespace, pod, label_app_kubernetes_io_name, label_track, "
        "label_app_kubernetes_io_version) "
        f"(kube_pod_labels{{{labels}}})"
    )
    renamed = rename_labels(
        pods, [("label_track", "track"), ("label_app_kubernetes_io_version", "version")]
    )
    for rule in service.roles.rules:
        renamed = (
            f'label_replace({renamed}, "track", "{rule.track}", "{rule.metric_label}", '
            f'"{rule.value}")'
        )
    return recording_rule(
        PODS,
        "sum by (track, version) (\n"
        f"  {renamed}\n"
        "  * on (namespace, pod) group_left ()\n"
        f'  max by (namespace, pod) (kube_pod_status_ready{{{namespace},condition="true"}})\n'
        ")\n"
        "or\n"
        f'sum by (track, version) (up{{{service.selector()},track!=""}})',
        {"namespace": service.namespace, "service": service.name},
    )


def _pods(service: MonitoredService) -> list[Rule]:
    tracks = service.roles.deployment_pattern
    pods = f'namespace="{service.namespace}",pod=~"{tracks}-.+"'
    deployments = f'namespace="{service.namespace}",deployment=~"{tracks}"'
    # Flagger scales the Deployment of a new version to zero between releases.
    stable = f'namespace="{service.namespace}",deployment="{service.roles.deployments["stable"]}"'
    serving = stable if service.gate_window else deployments
    return [
        alert(
            "ServiceWithoutReadyPods",
            "page",
            # The Deployment's series exists even without pods.
            "max by (namespace, deployment) "
            f"(kube_deployment_status_replicas_ready{{{serving}}}) == 0",
            f"No pod of a track of {service.name} is ready",
            "{{ $value }} pods of {{ $labels.namespace }}/{{ $labels.deployment }} are ready: "
            "requests to this track fail.",
            for_="2m",
        ),
        alert(
            "PodCrashLooping",
            "ticket",
            "max by (namespace, pod, container) (\n"
            "  max_over_time(kube_pod_container_status_waiting_reason"
            f'{{{pods},reason="CrashLoopBackOff"}}[5m])\n'
            ") >= 1\n"
            "or\n"
            "max by (namespace, pod, container) (\n"
            f"  increase(kube_pod_container_status_restarts_total{{{pods}}}[15m])\n"
            ") > 3",
            f"A pod of {service.name} is crash looping",
            f"Container {{{{ $labels.container }}}} of {_POD} is in CrashLoopBackOff, or restarted "
            "more than 3 times in 15 minutes (value: {{ $value | humanize }}).",
            for_="5m",
        ),
        alert(
            "PodNotReady",
            "ticket",
            f'max by (namespace, pod) (kube_pod_status_ready{{{pods},condition="false"}}) == 1\n'
            "and on (namespace, pod)\n"
            f'kube_pod_status_phase{{{pods},phase=~"Pending|Running|Unknown"}} == 1',
            f"A pod of {service.name} is not ready",
            f"{_POD} has not been ready for 15 minutes.",
            for_="15m",
        ),
        alert(
            "ProbesFailing",
            "ticket",
            "sum by (namespace, pod, container, probe_type) (\n"
            f"  increase(prober_probe_total{{{pods},"
            'probe_type=~"Liveness|Readiness",result="failed"}[10m])\n'
            ") > 5",
            f"Probes of {service.name} are failing",
            f"{{{{ $labels.probe_type }}}} probes of {_POD} failed "
            '{{ printf "%.0f" $value }} times in 10 minutes.',
        ),
        alert(
            "DeploymentStuck",
            "ticket",
            "max by (namespace, deployment) (\n"
            f"  kube_deployment_status_condition{{{deployments},"
            'condition="Progressing",status="false"}\n'
            ") == 1",
            f"A rollout of {service.name} is stuck",
            "The rollout of {{ $labels.namespace }}/{{ $labels.deployment }} has exceeded its "
            "progress deadline (condition Progressing is false: {{ $value }}).",
            for_="1m",
        ),
    ]


def _saturation(service: MonitoredService) -> list[Rule]:
    container = (
        f'namespace="{service.namespace}",pod=~"{service.roles.deployment_pattern}-.+",'
        f'container="{service.name}"'
    )
    scaler = (
        f'namespace="{service.namespace}",'
        f'horizontalpodautoscaler=~"{service.roles.deployment_pattern}"'
    )
    return [
        alert(
            "CPUThrottlingHigh",
            "ticket",
            "sum by (namespace, pod, container) (\n"
            f"  increase(container_cpu_cfs_throttled_periods_total{{{container}}}[5m])\n"
            ")\n"
            "/\n"
            "sum by (namespace, pod, container) (\n"
            f"  increase(container_cpu_cfs_periods_total{{{container}}}[5m])\n"
            ")\n"
            "> 0.25",
            f"A pod of {service.name} is throttled by its CPU limit",
            f"{_POD} was throttled in {{{{ $value | humanizePercentage }}}} of its CPU periods.",
            for_="15m",
        ),
        alert(
            "MemoryNearLimit",
            "ticket",
            "max by (namespace, pod, container) (\n"
            f"  container_memory_working_set_bytes{{{container}}}\n"
            ")\n"
            "/ on (namespace, pod, container)\n"
            "max by (namespace, pod, container) (\n"
            f'  kube_pod_container_resource_limits{{{container},resource="memory"}}\n'
            ")\n"
            "> 0.9",
            f"A pod of {service.name} is close to its memory limit",
            f"{_POD} uses {{{{ $value | humanizePercentage }}}} of its memory limit; above it, "
            "the container is OOM killed.",
            for_="10m",
        ),
        alert(
            "AutoscalerAtCeiling",
            "ticket",
            "max by (namespace, horizontalpodautoscaler) (\n"
            f"  kube_horizontalpodautoscaler_status_current_replicas{{{scaler}}}\n"
            ")\n"
            ">= on (namespace, horizontalpodautoscaler)\n"
            "max by (namespace, horizontalpodautoscaler) (\n"
            f"  kube_horizontalpodautoscaler_spec_max_replicas{{{scaler}}}\n"
            "  > ignoring ()\n"
            f"  kube_horizontalpodautoscaler_spec_min_replicas{{{scaler}}}\n"
            ")",
            f"The autoscaler of {service.name} is at its maximum",
            "{{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} has been at its "
            "maximum of {{ $value }} replicas for 15 minutes.",
            for_="15m",
        ),
    ]


def _metrics(service: MonitoredService) -> list[Rule]:
    own = service.selector()
    up = f"sum by (track) (up{{{own}}})"
    if not service.is_scaled_to_zero:
        # The track stable always exists, canary only during a release.
        up = f'(\n  {up}\nor\n  label_replace(vector(0), "track", "stable", "", "")\n)'
    alerts = [
        alert(
            "ServiceMetricsMissing",
            "page",
            f"{up} == 0",
            f"Prometheus cannot scrape a track of {service.name}",
            f"{{{{ $value }}}} pods of the track {{{{ $labels.track }}}} of {service.namespace}/"
            f"{service.name} have been scraped successfully for 5 minutes: the track is down, or "
            "its metrics are missing.",
            for_="5m",
        )
    ]
    if service.metrics and service.metrics.in_flight:
        alerts.append(
            alert(
                "RequestsInFlightHigh",
                "ticket",
                "max by (namespace, service, pod) "
                f"({service.metrics.in_flight}{{{own}}}) > {_MAX_IN_FLIGHT}",
                f"{service.name} has too many requests in flight",
                f"{_POD} has had more than {_MAX_IN_FLIGHT} requests in flight for 10 minutes, now "
                "{{ $value }}.",
                for_="10m",
            )
        )
    return alerts


def _own_alert(service: MonitoredService, settings: ServiceAlert) -> Rule:
    rule = alert(
        settings.name,
        settings.severity,
        settings.expr.replace(SELECTOR, service.selector()),
        settings.summary,
        settings.description or settings.summary,
        for_=settings.for_,
    )
    if settings.runbook:
        rule["annotations"]["runbook_url"] = settings.runbook
    return rule
