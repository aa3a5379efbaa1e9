"""The service's pods as Kubernetes sees them: number, restarts, CPU and memory, autoscaling."""

from components.observability.dashboards.panel import (
    Bounds,
    Dashboard,
    Panel,
    Promql,
    Row,
    Unit,
    Variable,
)
from components.observability.dashboards.scope import Scope

_HEALTHY = "nothing of the kind happened"


def dashboard(scope: Scope) -> Dashboard:
    """The dashboard of the pods."""
    return Dashboard(
        "workload",
        f"{scope.service}: pods and autoscaling",
        "The namespace's pods: whether they run, what they use of what they may, how many "
        "are wanted.",
        rows=(
            Row("Pods", _pods(scope)),
            Row("CPU", _cpu(scope)),
            Row("Memory", _memory(scope)),
            Row("Autoscaling and quota", _scaling(scope)),
        ),
        variables=(
            Variable(
                "pod", "Pod", f'label_values(kube_pod_info{{namespace="{scope.namespace}"}}, pod)'
            ),
        ),
    )


def _of(scope: Scope) -> str:
    return f'namespace="{scope.namespace}",pod=~"$pod"'


def _whole(scope: Scope) -> str:
    """Whole pods: not every kubelet tells their containers apart."""
    return f'{_of(scope)},pod!="",container=""'


def _pods(scope: Scope) -> tuple[Panel, ...]:
    here = f'namespace="{scope.namespace}"'
    return (
        Panel(
            "Replicas",
            "Pods that each Deployment should have, and those that serve. They differ while a "
            "rollout is under way, and when one is stuck.",
            "short",
            (
                Promql(
                    f"sum by (deployment) (kube_deployment_spec_replicas{{{here}}})",
                    "{{deployment}} wanted",
                ),
                Promql(
                    f"sum by (deployment) (kube_deployment_status_replicas_available{{{here}}})",
                    "{{deployment}} available",
                ),
            ),
            width=6,
        ),
        Panel(
            "Phases",
            "Pods in each phase. Pending for long: no node has room for them.",
            "short",
            (Promql(f"sum by (phase) (kube_pod_status_phase{{{_of(scope)}}})", "{{phase}}"),),
            width=6,
            stacked=True,
        ),
        Panel(
            "Restarts",
            "Restarts of each pod's containers within an hour. In a quiet hour there is none.",
            "short",
            (
                Promql(
                    "sum by (pod) "
                    f"(increase(kube_pod_container_status_restarts_total{{{_of(scope)}}}[1h]))",
                    "{{pod}}",
                ),
            ),
            bounds=Bounds(1, 3),
            width=6,
        ),
        Panel(
            "Why containers wait or ended",
            "Reasons such as CrashLoopBackOff, ImagePullBackOff, OOMKilled.",
            "short",
            (
                Promql(
                    "sum by (pod, reason) "
                    f"(kube_pod_container_status_waiting_reason{{{_of(scope)}}} > 0)",
                    "{{pod}} waits: {{reason}}",
                    empty=_HEALTHY,
                ),
                Promql(
                    "sum by (pod, reason) "
                    f"(kube_pod_container_status_last_terminated_reason{{{_of(scope)}}} > 0)",
                    "{{pod}} ended: {{reason}}",
                    empty=_HEALTHY,
                ),
            ),
            width=6,
        ),
    )


def _cpu(scope: Scope) -> tuple[Panel, ...]:
    used = f"rate(container_cpu_usage_seconds_total{{{_whole(scope)}}}[$__rate_interval])"
    periods = f"container_cpu_cfs_periods_total{{{_whole(scope)}}}"
    throttled = f"container_cpu_cfs_throttled_periods_total{{{_whole(scope)}}}"
    return (
        _used("CPU used", "Cores that each pod uses.", "suffix: cores", used),
        _share(scope, "CPU", "cpu", used),
        Panel(
            "CPU throttled",
            "Share of the periods in which a pod wanted more CPU than its limit. It answers slowly "
            "then.",
            "percentunit",
            (
                Promql(
                    f"sum by (pod) (rate({throttled}[$__rate_interval])) / "
                    f"sum by (pod) (rate({periods}[$__rate_interval]))",
                    "{{pod}}",
                ),
            ),
            bounds=Bounds(0.25, 0.5),
            width=8,
            highest=1,
        ),
    )


def _memory(scope: Scope) -> tuple[Panel, ...]:
    used = f"container_memory_working_set_bytes{{{_whole(scope)}}}"
    return (
        _used("Memory used", "Memory of each pod that cannot be freed.", "bytes", used),
        _share(scope, "Memory", "memory", used),
        Panel(
            "Memory of the Go runtime",
            "What the service's heap holds. It rises without end where memory leaks.",
            "bytes",
            (
                Promql(
                    f'sum by (pod) (go_memstats_heap_inuse_bytes{{{scope.requests},pod=~"$pod"}})',
                    "{{pod}}",
                ),
            ),
            width=8,
        ),
    )


def _used(title: str, description: str, unit: Unit, used: str) -> Panel:
    each = Promql(f"sum by (pod) ({used})", "{{pod}}")
    return Panel(title, description, unit, (each,), width=8, stacked=True)


def _share(scope: Scope, title: str, resource: str, used: str) -> Panel:
    return Panel(
        f"{title} against request and limit",
        "Share of what is reserved, and of what is never exceeded. Above the request a pod lives "
        "on what others leave.",
        "percentunit",
        tuple(
            Promql(
                f"sum by (pod) ({used}) / sum by (pod) "
                f'(kube_pod_container_resource_{bound}{{{_of(scope)},resource="{resource}"}})',
                f"{{{{pod}}}} of {bound}",
            )
            for bound in ("requests", "limits")
        ),
        bounds=Bounds(0.9, 1),
        width=8,
    )


def _scaling(scope: Scope) -> tuple[Panel, ...]:
    here = f'namespace="{scope.namespace}"'
    no_autoscaler = "autoscaling is off"
    by = "sum by (horizontalpodautoscaler)"
    return (
        Panel(
            "Autoscaler",
            "Pods that there are, that are wanted, and the most and fewest there may be. Wanted at "
            "the most for long: the load needs a higher ceiling.",
            "short",
            tuple(
                Promql(
                    f"{by} (kube_horizontalpodautoscaler_{series}{{{here}}})",
                    f"{{{{horizontalpodautoscaler}}}} {name}",
                    empty=no_autoscaler,
                )
                for name, series in (
                    ("current", "status_current_replicas"),
                    ("wanted", "status_desired_replicas"),
                    ("most", "spec_max_replicas"),
                    ("fewest", "spec_min_replicas"),
                )
            ),
        ),
        Panel(
            "Quota used",
            "Share of what all pods of the namespace may take together. At 1 no pod can be added.",
            "percentunit",
            (
                Promql(
                    f'sum by (resource) (kube_resourcequota{{{here},type="used"}}) / '
                    f'(sum by (resource) (kube_resourcequota{{{here},type="hard"}}) > 0)',
                    "{{resource}}",
                ),
            ),
            bounds=Bounds(0.8, 0.95),
        ),
    )
