"""node-exporter: what each node uses and has left."""

from components.observability.addresses import NODE_EXPORTER, PROMETHEUS
from components.observability.server import Description, HostFolder, Http, Server, ServerArgs, Tcp
from components.versions import IMAGES
from settings import ResourceList, ResourceRequirements

_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="10m", memory="24Mi"), limits=ResourceList(cpu="200m", memory="96Mi")
)
_COLLECTORS = (
    *("cpu", "cpufreq", "diskstats", "edac", "filefd", "filesystem", "hwmon", "loadavg"),
    *("meminfo", "pressure", "stat", "thermal_zone", "time", "timex", "uname", "vmstat"),
)
"""Those that tell of the node. Network is not there: this pod sees its own only; see cAdvisor."""
_NO_FILES = "^/(dev|proc|sys|run/.+|var/lib/(docker|containerd|kubelet)/.+)($|/)"
_NOT_ON_DISK = (
    "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|"
    "mqueue|nsfs|overlay|proc|procfs|pstore|ramfs|rpc_pipefs|securityfs|squashfs|sysfs|"
    "tmpfs|tracefs)$"
)


class NodeExporter(Server[ServerArgs]):
    """One pod per node. It shares neither network nor processes with the node: two may run."""

    def describe(self, args: ServerArgs) -> Description:
        return Description(
            kind="DaemonSet",
            namespace=args["node_namespace"],
            image=IMAGES["nodeExporter"],
            user=65534,
            resources=_RESOURCES,
            ports={"http": NODE_EXPORTER.port},
            ready=Http("/", NODE_EXPORTER.port),
            alive=Tcp(NODE_EXPORTER.port),
            args=[
                "--path.procfs=/host/proc",
                "--path.sysfs=/host/sys",
                "--path.rootfs=/host/root",
                "--path.udev.data=/host/root/run/udev/data",
                f"--collector.filesystem.mount-points-exclude={_NO_FILES}",
                f"--collector.filesystem.fs-types-exclude={_NOT_ON_DISK}",
                "--collector.disable-defaults",
                *(f"--collector.{name}" for name in _COLLECTORS),
            ],
            host_folders=[
                HostFolder("/proc", "/host/proc"),
                HostFolder("/sys", "/host/sys"),
                HostFolder("/", "/host/root", follows_mounts=True),
            ],
            reached_by=[PROMETHEUS.peer(args["monitoring_namespace"], NODE_EXPORTER.port)],
        )
