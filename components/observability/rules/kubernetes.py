"""What goes wrong with the cluster that the service runs on."""

from components.observability.rule import Alert, Group

_VOLUME = "{{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }}"
# What is mounted read-only or lives in memory does not fill up.
_DISK = 'fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660|erofs"'


def groups(namespaces: tuple[str, ...]) -> tuple[Group, ...]:
    """Of the nodes, and of the volumes and jobs in ``namespaces``: others have other owners."""
    own = f'namespace=~"{"|".join(namespaces)}"'
    return (
        Group("kubernetes-nodes", _nodes()),
        Group("kubernetes-volumes", _volumes(own)),
        Group("kubernetes-jobs", (_job_failed(own),)),
    )


def _nodes() -> tuple[Alert, ...]:
    return (
        Alert(
            "NodeNotReady",
            "page",
            'max by (node) (kube_node_status_condition{condition="Ready",status="true"}) == 0',
            "A node is not ready",
            "Node {{ $labels.node }} has not been ready for 5 minutes (Ready is {{ $value }}).",
            lasting="5m",
        ),
        Alert(
            "NodeUnderPressure",
            "ticket",
            "max by (node, condition) (\n"
            "  kube_node_status_condition"
            '{condition=~"MemoryPressure|DiskPressure|PIDPressure",status="true"}\n'
            ") == 1",
            "A node is short of memory, disk or processes",
            "Node {{ $labels.node }} reports {{ $labels.condition }} ({{ $value }}): pods are "
            "evicted, and no new ones come.",
            lasting="5m",
        ),
        Alert(
            "NodeFilesystemFilling",
            "ticket",
            "min by (node, instance, device) (\n"
            f"  node_filesystem_avail_bytes{{{_DISK}}} / node_filesystem_size_bytes{{{_DISK}}}\n"
            f"  and node_filesystem_readonly{{{_DISK}}} == 0\n"
            ") < 0.1",
            "A node's file system is almost full",
            "{{ $labels.device }} on {{ $labels.node }} ({{ $labels.instance }}) has "
            "{{ $value | humanizePercentage }} of its space left.",
            lasting="15m",
        ),
        Alert(
            "KubeletDown",
            "page",
            '(sum(up{job="kubelet"}) or vector(0)) == 0',
            "No kubelet answers",
            "{{ $value }} kubelets have answered a scrape for 10 minutes: nodes are down or cannot "
            "be reached, and nothing is known of containers and volumes.",
            lasting="10m",
            labels={"job": "kubelet"},
        ),
    )


def _volumes(own: str) -> tuple[Alert, ...]:
    available = f"kubelet_volume_stats_available_bytes{{{own}}}"
    free = (
        "max by (namespace, persistentvolumeclaim) (\n"
        f"  {available} / kubelet_volume_stats_capacity_bytes{{{own}}}\n"
        ")"
    )
    return (
        Alert(
            "VolumeFillingUp",
            "ticket",
            f"{free} < 0.15\n"
            "and\n"
            "min by (namespace, persistentvolumeclaim) (\n"
            f"  predict_linear({available}[6h], 4 * 24 * 3600)\n"
            ") < 0",
            "A volume will be full within four days",
            f"{_VOLUME} has {{{{ $value | humanizePercentage }}}} of its space left, and goes on "
            "filling as in the last 6 hours.",
            lasting="1h",
        ),
        Alert(
            "VolumeAlmostFull",
            "page",
            f"{free} < 0.03",
            "A volume is full",
            f"{_VOLUME} has {{{{ $value | humanizePercentage }}}} of its space left.",
            lasting="1m",
        ),
    )


def _job_failed(own: str) -> Alert:
    return Alert(
        "JobFailed",
        "ticket",
        f'max by (namespace, job_name) (kube_job_failed{{{own},condition="true"}}) > 0',
        "A job failed",
        "Job {{ $labels.namespace }}/{{ $labels.job_name }} failed ({{ $value }}) and is not "
        "tried again.",
        lasting="15m",
    )
