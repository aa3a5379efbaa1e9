"""node-exporter: hardware and operating system metrics of each node."""

from components.observability.addresses import NODE_EXPORTER, PROMETHEUS
from components.observability.args import ObservabilityArgs
from components.observability.server import HostPath, HttpProbe, Server, ServerSpec, TcpProbe
from components.versions import server_image
from settings import ResourceList, ResourceRequirements

_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="10m", memory="24Mi"), limits=ResourceList(cpu="200m", memory="96Mi")
)
_COLLECTORS = (
    *("cpu", "cpufreq", "diskstats", "edac", "filefd", "filesystem", "hwmon", "loadavg"),
    *("meminfo", "pressure", "stat", "thermal_zone", "time", "timex", "uname", "vmstat"),
)
"""Without network: the pod only sees its own interfaces. cAdvisor exports those of the node."""
_EXCLUDED_MOUNT_POINTS = "^/(dev|proc|sys|run/.+|var/lib/(docker|containerd|kubelet)/.+)($|/)"
_EXCLUDED_FS_TYPES = (
    "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|"
    "mqueue|nsfs|overlay|proc|procfs|pstore|ramfs|rpc_pipefs|securityfs|squashfs|sysfs|"
    "tmpfs|tracefs)$"
)


class NodeExporter(Server):
    """node-exporter without host network and host PIDs, so that several can run on a node."""

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        return ServerSpec(
            kind="DaemonSet",
            namespace=args["settings"].node_namespace,
            image=server_image("nodeExporter"),
            user=65534,
            resources=_RESOURCES,
            ports={"http": NODE_EXPORTER.port},
            readiness=HttpProbe("/", NODE_EXPORTER.port),
            liveness=TcpProbe(NODE_EXPORTER.port),
            args=[
                "--path.procfs=/host/proc",
                "--path.sysfs=/host/sys",
                "--path.rootfs=/host/root",
                "--path.udev.data=/host/root/run/udev/data",
                f"--collector.filesystem.mount-points-exclude={_EXCLUDED_MOUNT_POINTS}",
                f"--collector.filesystem.fs-types-exclude={_EXCLUDED_FS_TYPES}",
                "--collector.disable-defaults",
                *(f"--collector.{name}" for name in _COLLECTORS),
            ],
            host_paths=[
                HostPath("/proc", "/host/proc"),
                HostPath("/sys", "/host/sys"),
                HostPath("/", "/host/root", mount_propagation="HostToContainer"),
            ],
            ingress=[PROMETHEUS.peer(args["network"].monitoring_namespace, NODE_EXPORTER.port)],
        )
