"""The Pod Security Standard ``restricted``, version 1.35.

Messages name the field as a manifest writes it. Outside checkers agree: see tests/manifests.
"""

from collections.abc import Iterator

from policy.objects import Container, Manifest, Object, Pod, at, items, mapping
from policy.rule import Stack, rule

ENFORCE = "pod-security.kubernetes.io/enforce"
_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_PROFILES = ("RuntimeDefault", "Localhost")
_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}


@rule("pod-security")
def restricted(one: Object, _: Stack) -> Iterator[str]:
    """Every pod satisfies Pod Security restricted, and every namespace enforces it."""
    if one.kind == "Namespace" and one.labels.get(ENFORCE) != "restricted":
        yield f"set the label {ENFORCE}: restricted"
    if one.pod is None:
        return
    yield from _shared_with_the_host(one.pod)
    yield from _context("the pod", mapping(one.pod.spec, "securityContext"))
    for container in one.pod.containers:
        yield from _container(container, mapping(one.pod.spec, "securityContext"))


def _shared_with_the_host(pod: Pod) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(field):
            yield f"remove {field}"
    for volume in items(pod.spec, "volumes"):
        for source in sorted(set(volume) - _VOLUMES - {"name"}):
            yield f"volume {volume.get('name')}: use another source than {source}"
    for sysctl in items(pod.spec, "securityContext", "sysctls"):
        if sysctl.get("name") not in _SYSCTLS:
            yield f"remove the sysctl {sysctl.get('name')}"


def _context(where: str, context: Manifest) -> Iterator[str]:
    """What a pod's and a container's security context have in common."""
    if at(context, "seccompProfile", "type") not in (None, *_PROFILES):
        yield f"{where}: set securityContext.seccompProfile.type to RuntimeDefault"
    if at(context, "appArmorProfile", "type") not in (None, *_PROFILES):
        yield f"{where}: set securityContext.appArmorProfile.type to RuntimeDefault"
    selinux = mapping(context, "seLinuxOptions")
    if selinux.get("type", "") not in _SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"{where}: remove securityContext.seLinuxOptions"
    if context.get("runAsUser") == 0:
        yield f"{where}: set securityContext.runAsUser to another user than 0"
    if at(context, "windowsOptions", "hostProcess"):
        yield f"{where}: remove securityContext.windowsOptions.hostProcess"


def _container(container: Container, of_pod: Manifest) -> Iterator[str]:
    where = f"container {container.name}"
    context = mapping(container.spec, "securityContext")
    yield from _context(where, context)
    if context.get("privileged"):
        yield f"{where}: remove securityContext.privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{where}: set securityContext.allowPrivilegeEscalation to false"
    if context.get("procMount", "Default") != "Default":
        yield f"{where}: remove securityContext.procMount"
    if context.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True:
        yield f"{where}: set securityContext.runAsNonRoot to true"
    if not at(context, "seccompProfile", "type") and not at(of_pod, "seccompProfile", "type"):
        yield f"{where}: set securityContext.seccompProfile.type to RuntimeDefault"
    if "ALL" not in items(context, "capabilities", "drop"):
        yield f"{where}: set securityContext.capabilities.drop to [ALL]"
    added = set(items(context, "capabilities", "add")) - {"NET_BIND_SERVICE"}
    if added:
        yield f"{where}: remove {', '.join(sorted(added))} from securityContext.capabilities.add"
    yield from _ports_and_hosts(where, container)


def _ports_and_hosts(where: str, container: Container) -> Iterator[str]:
    for port in items(container.spec, "ports"):
        if port.get("hostPort"):
            yield f"{where}: remove hostPort {port['hostPort']}"
    for hook in ("livenessProbe", "readinessProbe", "startupProbe"):
        for way in ("httpGet", "tcpSocket"):
            if at(container.spec, hook, way, "host"):
                yield f"{where}: remove {hook}.{way}.host"
    for event in ("postStart", "preStop"):
        for way in ("httpGet", "tcpSocket"):
            if at(container.spec, "lifecycle", event, way, "host"):
                yield f"{where}: remove lifecycle.{event}.{way}.host"
