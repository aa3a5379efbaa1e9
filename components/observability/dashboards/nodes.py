"""Dashboard of the nodes: utilization, saturation and errors."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.builders.prometheus import Dataquery

from components.observability.dashboards.panels import (
    Panel,
    graph,
    label_variable,
    new_dashboard,
    query,
)

_NODE = 'node=~"$node"'
_DISKS = f'{_NODE},device!~"loop.*|ram.*"'
_FILE_SYSTEMS = f'{_NODE},fstype!~"tmpfs|ramfs|devtmpfs|squashfs|nsfs"'
# The traffic of a CNI plugin's interfaces also passes a physical interface: do not count it twice.
_PHYSICAL = (
    'interface!~"lo|veth.*|cali.*|cni.*|docker.*|br-.*|cbr.*|flannel.*|cilium.*|lxc.*|'
    'eni[0-9a-f]+|azv.*|gke.*|tunl.*|vxlan.*|kube-.*|nodelocaldns|dummy.*"'
)


def nodes_dashboard() -> dashboard.Dashboard:
    """CPU, memory, file systems, disks and network of all nodes."""
    return new_dashboard(
        "Nodes: utilization, saturation, errors",
        "Utilization, saturation and errors of each resource.",
        {
            "CPU": _cpu(),
            "Memory": _memory(),
            "File systems": _file_systems(),
            "Disks and network": _disks_and_network(),
        },
    ).with_variable(label_variable("node", "Node", "label_values(node_uname_info, node)"))


def _cpu() -> tuple[Panel, ...]:
    pressure = (
        query(
            f"sum by (node) (rate({series}{{{_NODE}}}[$__rate_interval]))", f"{name}, {{{{node}}}}"
        )
        for name, series in (
            ("CPU", "node_pressure_cpu_waiting_seconds_total"),
            ("memory", "node_pressure_memory_waiting_seconds_total"),
            ("I/O", "node_pressure_io_waiting_seconds_total"),
        )
    )
    return (
        graph(
            "CPU utilization",
            "Percentage of time that all cores are not idle.",
            "percentunit",
            query(
                "1 - avg by (node) "
                f'(rate(node_cpu_seconds_total{{{_NODE},mode="idle"}}[$__rate_interval]))',
                "{{node}}",
            ),
            thresholds=(0.8, 0.95),
        )
        .max(1)
        .span(8),
        graph(
            "Load per core",
            "Runnable and uninterruptible processes per core. Above 1, processes wait.",
            "short",
            query(
                f"sum by (node) (node_load1{{{_NODE}}}) / "
                f'count by (node) (node_cpu_seconds_total{{{_NODE},mode="idle"}})',
                "{{node}}",
            ),
            thresholds=(1, 2),
        ).span(8),
        graph(
            "Pressure",
            "Pressure stall information: percentage of time that tasks waited for the resource.",
            "percentunit",
            *pressure,
            thresholds=(0.2, 0.5),
        ).span(8),
    )


def _memory() -> tuple[Panel, ...]:
    return (
        graph(
            "Memory utilization",
            "Percentage of memory that is not available for new processes.",
            "percentunit",
            query(
                f"1 - sum by (node) (node_memory_MemAvailable_bytes{{{_NODE}}}) / "
                f"sum by (node) (node_memory_MemTotal_bytes{{{_NODE}}})",
                "{{node}}",
            ),
            thresholds=(0.8, 0.9),
        )
        .max(1)
        .span(8),
        graph(
            "Major page faults",
            "Pages read from disk, per second. A high rate means a lack of memory.",
            "cps",
            query(
                f"sum by (node) (rate(node_vmstat_pgmajfault{{{_NODE}}}[$__rate_interval]))",
                "{{node}}",
            ),
            thresholds=(500, 2000),
        ).span(8),
        graph(
            "OOM kills",
            "Processes killed by the kernel within an hour: above their limit, or on a full node.",
            "short",
            query(f"sum by (node) (increase(node_vmstat_oom_kill{{{_NODE}}}[1h]))", "{{node}}"),
            thresholds=(1, 5),
        ).span(8),
    )


def _file_systems() -> tuple[Panel, ...]:
    return (
        graph(
            "Space used",
            "Percentage of each file system. The kubelet evicts pods from a full node.",
            "percentunit",
            _used("space", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
            thresholds=(0.8, 0.9),
        ).max(1),
        graph(
            "Inodes used",
            "Percentage of each file system. Without free inodes, no file can be created.",
            "percentunit",
            _used("inodes", "node_filesystem_files_free", "node_filesystem_files"),
            thresholds=(0.8, 0.9),
        ).max(1),
    )


def _used(name: str, free: str, size: str) -> Dataquery:
    by = "max by (node, device)"
    return query(
        f"1 - {by} ({free}{{{_FILE_SYSTEMS}}}) / ({by} ({size}{{{_FILE_SYSTEMS}}}) > 0)",
        f"{name}, {{{{node}}}} {{{{device}}}}",
    )


def _disks_and_network() -> tuple[Panel, ...]:
    return (
        graph(
            "Disk utilization",
            "Percentage of time that the disk was busy.",
            "percentunit",
            query(
                "max by (node, device) "
                f"(rate(node_disk_io_time_seconds_total{{{_DISKS}}}[$__rate_interval]))",
                "{{node}} {{device}}",
            ),
            thresholds=(0.8, 0.95),
        ).span(6),
        graph(
            "Disk queue",
            "Average number of queued requests. Above 1, the disk is saturated.",
            "short",
            query(
                "max by (node, device) "
                f"(rate(node_disk_io_time_weighted_seconds_total{{{_DISKS}}}[$__rate_interval]))",
                "{{node}} {{device}}",
            ),
            thresholds=(1, 5),
        ).span(6),
        graph(
            "Network",
            "Bytes received and transmitted per second, by physical interfaces.",
            "Bps",
            *(_network(counter) for counter in ("receive_bytes", "transmit_bytes")),
        ).span(6),
        graph(
            "Network errors",
            "Packets with errors and dropped packets, per second. Normally 0.",
            "cps",
            *(
                _network(counter)
                for counter in (
                    "receive_errors",
                    "transmit_errors",
                    "receive_packets_dropped",
                    "transmit_packets_dropped",
                )
            ),
            thresholds=(0.1, 1),
        ).span(6),
    )


def _network(counter: str) -> Dataquery:
    # From cAdvisor, because node-exporter does not run in the host network.
    return query(
        f"sum by (node) (rate(container_network_{counter}_total"
        f'{{{_NODE},job="kubelet",id="/",{_PHYSICAL}}}[$__rate_interval]))',
        f"{counter.replace('_', ' ')}, {{{{node}}}}",
    )
