"""Dashboard of the service's pods: replicas, restarts, resources and autoscaling."""

from collections.abc import Sequence
from typing import Literal

from grafana_foundation_sdk.builders import dashboard, timeseries

from components.observability.dashboards.panels import (
    Panel,
    graph,
    label_variable,
    new_dashboard,
    query,
    service_variable,
)
from components.observability.monitored_service import MonitoredService
from components.observability.queries import pod_resource, selector


def workload_dashboard(namespace: str, services: Sequence[MonitoredService]) -> dashboard.Dashboard:
    """Pods of a service, their CPU and memory, autoscaling and the namespace's quota."""
    in_namespace = f'namespace="{namespace}"'
    suffixes = "|".join(
        dict.fromkeys(one for service in services for one in service.roles.deployment_suffixes)
    )
    pod_names = f'"$service-({suffixes})-.+"'
    tracks = f'"$service-({suffixes})"'
    pods = f'{in_namespace},pod=~{pod_names},pod=~"$pod"'
    sidecars = [*dict.fromkeys(one for service in services for one in service.sidecars)]
    return (
        new_dashboard(
            "Service: pods and autoscaling",
            "State of the service's pods, their resource usage, autoscaling and quota.",
            {
                "Pods": _pods(f"{in_namespace},deployment=~{tracks}", pods),
                "CPU": _cpu(pods, sidecars),
                "Memory": _memory(selector(namespace, "$service"), pods, sidecars),
                "Autoscaling and quota": _scaling(in_namespace, tracks),
            },
        )
        .with_variable(service_variable(namespace))
        .with_variable(
            label_variable(
                "pod",
                "Pod",
                f"label_values(kube_pod_info{{{in_namespace},pod=~{pod_names}}}, pod)",
            )
        )
    )


def _pods(deployments: str, pods: str) -> tuple[Panel, ...]:
    panels = (
        graph(
            "Replicas",
            "Desired and available replicas of each Deployment. They differ during a rollout.",
            "short",
            query(
                f"sum by (deployment) (kube_deployment_spec_replicas{{{deployments}}})",
                "{{deployment}} desired",
            ),
            query(
                f"sum by (deployment) (kube_deployment_status_replicas_available{{{deployments}}})",
                "{{deployment}} available",
            ),
        ),
        graph(
            "Phases",
            "Pods in each phase. A pod stays Pending while no node has enough resources.",
            "short",
            query(f"sum by (phase) (kube_pod_status_phase{{{pods}}})", "{{phase}}"),
            stacked=True,
        ),
        graph(
            "Restarts",
            "Container restarts within an hour. Normally 0.",
            "short",
            query(
                f"sum by (pod) (increase(kube_pod_container_status_restarts_total{{{pods}}}[1h]))",
                "{{pod}}",
            ),
            thresholds=(1, 3),
        ),
        graph(
            "Waiting and terminated containers",
            "Reasons such as CrashLoopBackOff, ImagePullBackOff, OOMKilled.",
            "short",
            query(
                f"sum by (pod, reason) (kube_pod_container_status_waiting_reason{{{pods}}} > 0)",
                "{{pod}} waiting: {{reason}}",
            ),
            query(
                "sum by (pod, reason) "
                f"(kube_pod_container_status_last_terminated_reason{{{pods}}} > 0)",
                "{{pod}} terminated: {{reason}}",
            ),
        ),
    )
    return tuple(panel.span(6) for panel in panels)


def _of_pods(pods: str) -> str:
    """Matchers for cAdvisor's series of whole pods: not every kubelet has series of containers."""
    return f'{pods},pod!="",container=""'


def _cpu(pods: str, sidecars: Sequence[str]) -> tuple[Panel, ...]:
    used = f"rate(container_cpu_usage_seconds_total{{{_of_pods(pods)}}}[$__rate_interval])"
    periods = f"container_cpu_cfs_periods_total{{{_of_pods(pods)}}}"
    throttled = f"container_cpu_cfs_throttled_periods_total{{{_of_pods(pods)}}}"
    return (
        graph(
            "CPU usage",
            "CPU usage of each pod, in cores.",
            "suffix: cores",
            query(f"sum by (pod) ({used})", "{{pod}}"),
            stacked=True,
        ).span(8),
        _requests_and_limits(pods, "CPU", "cpu", used, sidecars),
        graph(
            "CPU throttling",
            "Percentage of periods in which the CPU limit throttled the pod.",
            "percentunit",
            query(
                f"sum by (pod) (rate({throttled}[$__rate_interval])) / "
                f"sum by (pod) (rate({periods}[$__rate_interval]))",
                "{{pod}}",
            ),
            thresholds=(0.25, 0.5),
        )
        .max(1)
        .span(8),
    )


def _memory(service: str, pods: str, sidecars: Sequence[str]) -> tuple[Panel, ...]:
    used = f"container_memory_working_set_bytes{{{_of_pods(pods)}}}"
    return (
        graph(
            "Memory usage",
            "Working set of each pod.",
            "bytes",
            query(f"sum by (pod) ({used})", "{{pod}}"),
            stacked=True,
        ).span(8),
        _requests_and_limits(pods, "Memory", "memory", used, sidecars),
        graph(
            "Go heap",
            "Heap in use of each pod. It grows steadily with a memory leak.",
            "bytes",
            query(
                f'sum by (pod) (go_memstats_heap_inuse_bytes{{{service},pod=~"$pod"}})',
                "{{pod}}",
            ),
        ).span(8),
    )


def _requests_and_limits(
    pods: str, title: str, resource: str, used: str, sidecars: Sequence[str]
) -> timeseries.Panel:
    bounds: tuple[Literal["requests", "limits"], ...] = ("requests", "limits")
    return graph(
        f"{title} usage by request and limit",
        "Percentage of the pod's request and of its limit.",
        "percentunit",
        *(
            query(
                f"sum by (pod) ({used}) / {pod_resource(bound, pods, resource, sidecars)}",
                f"{{{{pod}}}} of {bound}",
            )
            for bound in bounds
        ),
        thresholds=(0.9, 1),
    ).span(8)


def _scaling(in_namespace: str, tracks: str) -> tuple[Panel, ...]:
    replicas = {
        "current": "status_current_replicas",
        "desired": "status_desired_replicas",
        "maximum": "spec_max_replicas",
        "minimum": "spec_min_replicas",
    }
    return (
        graph(
            "HorizontalPodAutoscaler",
            "Current and desired replicas. At the maximum, it cannot scale up further.",
            "short",
            *(
                query(
                    "sum by (horizontalpodautoscaler) "
                    f"(kube_horizontalpodautoscaler_{series}"
                    f"{{{in_namespace},horizontalpodautoscaler=~{tracks}}})",
                    f"{{{{horizontalpodautoscaler}}}} {name}",
                )
                for name, series in replicas.items()
            ),
        ),
        graph(
            "Resource quota",
            "Used percentage of the namespace's quota. At 100%, no pod can be created.",
            "percentunit",
            query(
                f'sum by (resource) (kube_resourcequota{{{in_namespace},type="used"}}) / '
                f'(sum by (resource) (kube_resourcequota{{{in_namespace},type="hard"}}) > 0)',
                "{{resource}}",
            ),
            thresholds=(0.8, 0.95),
        ),
    )
