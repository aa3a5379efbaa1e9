"""Each node by utilisation, saturation and errors."""

from components.observability.dashboards.panel import (
    Bounds,
    Dashboard,
    Panel,
    Promql,
    Row,
    Variable,
)

_NODE = 'node=~"$node"'
_DISKS = f'{_NODE},device!~"loop.*|ram.*"'
_FILES = f'{_NODE},fstype!~"tmpfs|ramfs|devtmpfs|squashfs|nsfs"'
# What a CNI plugin makes for pods carries again what a physical interface does.
_PHYSICAL = (
    'interface!~"lo|veth.*|cali.*|cni.*|docker.*|br-.*|cbr.*|flannel.*|cilium.*|lxc.*|'
    'eni[0-9a-f]+|azv.*|gke.*|tunl.*|vxlan.*|kube-.*|nodelocaldns|dummy.*"'
)
_NO_DISK = "the node is a container without a disk of its own"
_NO_PRESSURE = "the node's kernel does not measure pressure"


def dashboard() -> Dashboard:
    """The dashboard of the nodes; they are no stack's own."""
    return Dashboard(
        "nodes",
        "Nodes: utilisation, saturation, errors",
        "For each resource: how much of it is used, what waits for it, what went wrong.",
        rows=(
            Row("CPU", _cpu()),
            Row("Memory", _memory()),
            Row("File systems", _files()),
            Row("Disks and network", _disks()),
        ),
        variables=(Variable("node", "Node", "label_values(node_uname_info, node)"),),
    )


def _cpu() -> tuple[Panel, ...]:
    return (
        Panel(
            "CPU used",
            "Share of all cores that does not idle.",
            "percentunit",
            (
                Promql(
                    "1 - avg by (node) (rate("
                    f'node_cpu_seconds_total{{{_NODE},mode="idle"}}[$__rate_interval]))',
                    "{{node}}",
                ),
            ),
            bounds=Bounds(0.8, 0.95),
            width=8,
            highest=1,
        ),
        Panel(
            "Load per core",
            "Processes that run or wait, for each core. Above 1 some wait.",
            "short",
            (
                Promql(
                    f"sum by (node) (node_load1{{{_NODE}}}) / "
                    f'count by (node) (node_cpu_seconds_total{{{_NODE},mode="idle"}})',
                    "{{node}}",
                ),
            ),
            bounds=Bounds(1, 2),
            width=8,
        ),
        Panel(
            "Pressure",
            "Share of the time in which some process waited for the resource.",
            "percentunit",
            tuple(
                Promql(
                    f"sum by (node) (rate({series}{{{_NODE}}}[$__rate_interval]))",
                    f"{resource}, {{{{node}}}}",
                    empty=_NO_PRESSURE,
                )
                for resource, series in (
                    ("CPU", "node_pressure_cpu_waiting_seconds_total"),
                    ("memory", "node_pressure_memory_waiting_seconds_total"),
                    ("I/O", "node_pressure_io_waiting_seconds_total"),
                )
            ),
            bounds=Bounds(0.2, 0.5),
            width=8,
        ),
    )


def _memory() -> tuple[Panel, ...]:
    return (
        Panel(
            "Memory used",
            "Share of the memory that could not be freed for a new process.",
            "percentunit",
            (
                Promql(
                    f"1 - sum by (node) (node_memory_MemAvailable_bytes{{{_NODE}}}) / "
                    f"sum by (node) (node_memory_MemTotal_bytes{{{_NODE}}})",
                    "{{node}}",
                ),
            ),
            bounds=Bounds(0.8, 0.9),
            width=8,
            highest=1,
        ),
        Panel(
            "Major page faults",
            "Pages per second that had to be read from disk: memory is short when there are many.",
            "cps",
            (
                Promql(
                    f"sum by (node) (rate(node_vmstat_pgmajfault{{{_NODE}}}[$__rate_interval]))",
                    "{{node}}",
                ),
            ),
            bounds=Bounds(500, 2000),
            width=8,
        ),
        Panel(
            "Processes killed for memory",
            "By the kernel, in an hour. Each is a container above its limit, or a full node.",
            "short",
            (
                Promql(
                    f"sum by (node) (increase(node_vmstat_oom_kill{{{_NODE}}}[1h]))",
                    "{{node}}",
                    empty="the node's kernel does not count them",
                ),
            ),
            bounds=Bounds(1, 5),
            width=8,
        ),
    )


def _files() -> tuple[Panel, ...]:
    def used(kind: str, free: str, size: str) -> Promql:
        by = "max by (node, device)"
        return Promql(
            f"1 - {by} ({free}{{{_FILES}}}) / ({by} ({size}{{{_FILES}}}) > 0)",
            f"{kind}, {{{{node}}}} {{{{device}}}}",
        )

    return (
        Panel(
            "Space used",
            "Share of each file system. The kubelet evicts pods from a full node.",
            "percentunit",
            (used("space", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"),),
            bounds=Bounds(0.8, 0.9),
            highest=1,
        ),
        Panel(
            "Inodes used",
            "Share of the files that the file system can hold. A full one takes no new file, "
            "however much space it has.",
            "percentunit",
            (used("inodes", "node_filesystem_files_free", "node_filesystem_files"),),
            bounds=Bounds(0.8, 0.9),
            highest=1,
        ),
    )


def _disks() -> tuple[Panel, ...]:
    # The exporter has a network of its own; cAdvisor sees the node's.
    network = f'{_NODE},job="kubelet",id="/",{_PHYSICAL}'
    return (
        Panel(
            "Disk busy",
            "Share of the time in which the disk had something to do.",
            "percentunit",
            (
                Promql(
                    "max by (node, device) "
                    f"(rate(node_disk_io_time_seconds_total{{{_DISKS}}}[$__rate_interval]))",
                    "{{node}} {{device}}",
                    empty=_NO_DISK,
                ),
            ),
            bounds=Bounds(0.8, 0.95),
            width=6,
        ),
        Panel(
            "Disk queue",
            "Reads and writes that wait, on average. Above 1 the disk is too slow.",
            "short",
            (
                Promql(
                    "max by (node, device) (rate("
                    f"node_disk_io_time_weighted_seconds_total{{{_DISKS}}}[$__rate_interval]))",
                    "{{node}} {{device}}",
                    empty=_NO_DISK,
                ),
            ),
            bounds=Bounds(1, 5),
            width=6,
        ),
        Panel(
            "Network",
            "Bytes per second that the node receives and sends, by all physical interfaces.",
            "Bps",
            tuple(
                Promql(
                    "sum by (node) (rate("
                    f"container_network_{way}_bytes_total{{{network}}}[$__rate_interval]))",
                    f"{way}, {{{{node}}}}",
                )
                for way in ("receive", "transmit")
            ),
            width=6,
        ),
        Panel(
            "Network errors",
            "Packets per second that were broken or dropped. Any number is worth a look.",
            "cps",
            tuple(
                Promql(
                    "sum by (node) (rate("
                    f"container_network_{what}_total{{{network}}}[$__rate_interval]))",
                    f"{what.replace('_', ' ')}, {{{{node}}}}",
                )
                for what in (
                    "receive_errors",
                    "transmit_errors",
                    "receive_packets_dropped",
                    "transmit_packets_dropped",
                )
            ),
            bounds=Bounds(0.1, 1),
            width=6,
        ),
    )
