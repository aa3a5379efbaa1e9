"""Alerts on nodes, volumes and jobs.

kubernetes-mixin is not used: it is Jsonnet without a Python package, and expects recording rules, a
``cluster`` label and series of single containers, which not every kubelet exports.
"""

from collections.abc import Sequence

from components.observability.rule import Rule, RuleGroup, alert, rule_group

_VOLUME = "{{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }}"
# Without read-only and in-memory file systems.
_DISK = 'fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660|erofs"'


def kubernetes_rules(namespaces: Sequence[str]) -> list[RuleGroup]:
    """Alerts on all nodes, and on the volumes and jobs in ``namespaces``."""
    in_namespaces = f'namespace=~"{"|".join(namespaces)}"'
    return [
        rule_group("kubernetes-nodes", _nodes()),
        rule_group("kubernetes-volumes", _volumes(in_namespaces)),
        rule_group("kubernetes-jobs", [_job_failed(in_namespaces)]),
    ]


def _nodes() -> list[Rule]:
    return [
        alert(
            "NodeNotReady",
            "page",
            'max by (node) (kube_node_status_condition{condition="Ready",status="true"}) == 0',
            "A node is not ready",
            "Node {{ $labels.node }} has not been ready for 5 minutes (Ready is {{ $value }}).",
            for_="5m",
        ),
        alert(
            "NodeUnderPressure",
            "ticket",
            "max by (node, condition) (\n"
            "  kube_node_status_condition"
            '{condition=~"MemoryPressure|DiskPressure|PIDPressure",status="true"}\n'
            ") == 1",
            "A node is under memory, disk or PID pressure",
            "Node {{ $labels.node }} reports {{ $labels.condition }} ({{ $value }}): the kubelet "
            "evicts pods, and new pods are not scheduled there.",
            for_="5m",
        ),
        alert(
            "NodeFilesystemFilling",
            "ticket",
            "min by (node, instance, device) (\n"
            f"  node_filesystem_avail_bytes{{{_DISK}}} / node_filesystem_size_bytes{{{_DISK}}}\n"
            f"  and node_filesystem_readonly{{{_DISK}}} == 0\n"
            ") < 0.1",
            "A file system of a node is almost full",
            "{{ $labels.device }} on {{ $labels.node }} ({{ $labels.instance }}) has "
            "{{ $value | humanizePercentage }} of its space left.",
            for_="15m",
        ),
        alert(
            "KubeletDown",
            "page",
            '(sum(up{job="kubelet"}) or vector(0)) == 0',
            "Prometheus cannot scrape any kubelet",
            "{{ $value }} kubelets have been scraped successfully for 10 minutes: nodes are down "
            "or unreachable, and metrics of containers and volumes are missing.",
            for_="10m",
            labels={"job": "kubelet"},
        ),
    ]


def _volumes(in_namespaces: str) -> list[Rule]:
    available = f"kubelet_volume_stats_available_bytes{{{in_namespaces}}}"
    free = (
        "max by (namespace, persistentvolumeclaim) (\n"
        f"  {available} / kubelet_volume_stats_capacity_bytes{{{in_namespaces}}}\n"
        ")"
    )
    return [
        alert(
            "VolumeFillingUp",
            "ticket",
            f"{free} < 0.15\n"
            "and\n"
            "min by (namespace, persistentvolumeclaim) (\n"
            f"  predict_linear({available}[6h], 4 * 24 * 3600)\n"
            ") < 0",
            "A volume is predicted to be full within four days",
            f"{_VOLUME} has {{{{ $value | humanizePercentage }}}} of its space left, and will be "
            "full within four days at the rate of the last 6 hours.",
            for_="1h",
        ),
        alert(
            "VolumeAlmostFull",
            "page",
            f"{free} < 0.03",
            "A volume is almost full",
            f"{_VOLUME} has {{{{ $value | humanizePercentage }}}} of its space left.",
            for_="1m",
        ),
    ]


def _job_failed(in_namespaces: str) -> Rule:
    return alert(
        "JobFailed",
        "ticket",
        f'max by (namespace, job_name) (kube_job_failed{{{in_namespaces},condition="true"}}) > 0',
        "A job failed",
        "Job {{ $labels.namespace }}/{{ $labels.job_name }} failed ({{ $value }}) and is not "
        "retried.",
        for_="15m",
    )
