"""What goes wrong with the service's pods before, or while, clients notice."""

from components.observability.rule import Alert, Group
from settings import Service

_POD = "{{ $labels.namespace }}/{{ $labels.pod }}"
_IN_FLIGHT = 100
"""Requests that one pod answers at once. Far above what its CPU limit lets it work on."""


def groups(service: Service, namespace: str) -> tuple[Group, ...]:
    """Of the pods of every track; those about the service's own metrics where it has any."""
    own = (Group("service-metrics", _own_metrics(service, namespace)),) if service.metrics else ()
    return (
        Group("service-pods", _pods(service, namespace)),
        Group("service-saturation", _saturation(service, namespace)),
        *own,
    )


def _pods(service: Service, namespace: str) -> tuple[Alert, ...]:
    tracks = f"{service.name}-(stable|canary)"
    pods = f'namespace="{namespace}",pod=~"{tracks}-.+"'
    deployments = f'namespace="{namespace}",deployment=~"{tracks}"'
    return (
        Alert(
            "ServiceWithoutReadyPods",
            "page",
            # Of the Deployment, which is there when no pod is; each track gets requests of its own.
            "max by (namespace, deployment) "
            f"(kube_deployment_status_replicas_ready{{{deployments}}}) == 0",
            f"No pod of a track of {service.name} is ready",
            "{{ $value }} pods of {{ $labels.namespace }}/{{ $labels.deployment }} are ready: the "
            "track's share of the requests is not served.",
            lasting="2m",
        ),
        Alert(
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
            f"A pod of {service.name} starts again and again",
            f"Container {{{{ $labels.container }}}} of {_POD} is in CrashLoopBackOff, or started "
            "more than 3 times in 15 minutes (value: {{ $value | humanize }}).",
            lasting="5m",
        ),
        Alert(
            "PodNotReady",
            "ticket",
            f'max by (namespace, pod) (kube_pod_status_ready{{{pods},condition="false"}}) == 1\n'
            "and on (namespace, pod)\n"
            f'kube_pod_status_phase{{{pods},phase=~"Pending|Running|Unknown"}} == 1',
            f"A pod of {service.name} does not become ready",
            f"{_POD} has not been ready for 15 minutes.",
            lasting="15m",
        ),
        Alert(
            "ProbesFailing",
            "ticket",
            "sum by (namespace, pod, container, probe_type) (\n"
            f"  increase(prober_probe_total{{{pods},"
            'probe_type=~"Liveness|Readiness",result="failed"}[10m])\n'
            ") > 5",
            f"Probes of {service.name} fail",
            f"{{{{ $labels.probe_type }}}} probes of {_POD} failed "
            '{{ printf "%.0f" $value }} times in 10 minutes.',
        ),
        Alert(
            "DeploymentStuck",
            "ticket",
            "max by (namespace, deployment) (\n"
            f"  kube_deployment_status_condition{{{deployments},"
            'condition="Progressing",status="false"}\n'
            ") == 1",
            f"A rollout of {service.name} makes no progress",
            "The rollout of {{ $labels.namespace }}/{{ $labels.deployment }} has passed its "
            "progress deadline (condition Progressing is false: {{ $value }}).",
            lasting="1m",
        ),
    )


def _saturation(service: Service, namespace: str) -> tuple[Alert, ...]:
    container = (
        f'namespace="{namespace}",pod=~"{service.name}-(stable|canary)-.+",'
        f'container="{service.name}"'
    )
    scaler = f'namespace="{namespace}",horizontalpodautoscaler=~"{service.name}-(stable|canary)"'
    return (
        Alert(
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
            f"A pod of {service.name} is held back by its CPU limit",
            f"{_POD} was throttled in {{{{ $value | humanizePercentage }}}} of its CPU periods.",
            lasting="15m",
        ),
        Alert(
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
            f"{_POD} uses {{{{ $value | humanizePercentage }}}} of its memory limit; at the limit "
            "the kernel kills it.",
            lasting="10m",
        ),
        Alert(
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
            f"The autoscaler of {service.name} has no more pods to give",
            "{{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} has had its highest "
            "number of pods, {{ $value }}, for 15 minutes.",
            lasting="15m",
        ),
    )


def _own_metrics(service: Service, namespace: str) -> tuple[Alert, ...]:
    own = f'namespace="{namespace}",service="{service.name}"'
    return (
        Alert(
            "ServiceMetricsMissing",
            "page",
            "(\n"
            f"  sum by (track) (up{{{own}}})\n"
            "or\n"
            # There is always a stable one; a canary only now and then.
            '  label_replace(vector(0), "track", "stable", "", "")\n'
            ") == 0",
            f"Nothing is measured of a track of {service.name}",
            f"{{{{ $value }}}} pods of the track {{{{ $labels.track }}}} of {namespace}/"
            f"{service.name} have answered a scrape for 5 minutes: it is down, or its objectives "
            "are watched by nobody.",
            lasting="5m",
            labels={"namespace": namespace, "service": service.name},
        ),
        Alert(
            "RequestsInFlightHigh",
            "ticket",
            f"max by (namespace, service, pod) (http_requests_in_flight{{{own}}}) > {_IN_FLIGHT}",
            f"Requests pile up in {service.name}",
            f"{_POD} has been answering {{{{ $value }}}} requests at once, more than "
            f"{_IN_FLIGHT}, for 10 minutes.",
            lasting="10m",
        ),
        Alert(
            "ServiceConfigReloadFailed",
            "ticket",
            "min by (namespace, service, pod) "
            f"(beacon_config_last_reload_successful{{{own}}}) == 0",
            f"{service.name} refused its new configuration",
            f"{_POD} goes on with its old configuration, for the new one is not valid "
            "(last reload successful: {{ $value }}).",
            lasting="5m",
        ),
        Alert(
            "ServicePanics",
            "ticket",
            f"sum by (namespace, service, track) (increase(beacon_panics_total{{{own}}}[15m])) > 0",
            f"{service.name} panics",
            '{{ printf "%.0f" $value }} requests to the track {{ $labels.track }} of '
            "{{ $labels.namespace }}/{{ $labels.service }} panicked in 15 minutes.",
        ),
    )
