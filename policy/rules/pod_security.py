"""Pod Security Standard ``restricted``, Kubernetes 1.35.

The API server enforces it on pods only, so a Deployment that violates it is created and its pods
are not. tests/manifests compares this rule with Kubernetes' own checks.
"""

from collections.abc import Iterator, Mapping

from policy.objects import Container, Manifest, Object, Pod, get, get_list, get_mapping
from policy.rule import Stack, rule

ENFORCE = "pod-security.kubernetes.io/enforce"

# Restricted fields and their allowed values. An unset field is allowed.
Restricted = Mapping[str, tuple[object, ...]]
_POD: Restricted = {
    "hostNetwork": (False,),
    "hostPID": (False,),
    "hostIPC": (False,),
    "securityContext.runAsNonRoot": (True,),
}
_PROFILES = ("RuntimeDefault", "Localhost")
_SECURITY_CONTEXT: Restricted = {
    "securityContext.seccompProfile.type": _PROFILES,
    "securityContext.appArmorProfile.type": _PROFILES,
    "securityContext.seLinuxOptions.type": (
        *("container_t", "container_init_t", "container_kvm_t", "container_engine_t"),
    ),
    "securityContext.seLinuxOptions.user": (),
    "securityContext.seLinuxOptions.role": (),
    "securityContext.windowsOptions.hostProcess": (False,),
}
_CONTAINER: Restricted = {
    "securityContext.privileged": (False,),
    "securityContext.procMount": ("Default",),
    **{
        f"{hook}.{action}.host": ()
        for hook in (
            *("livenessProbe", "readinessProbe", "startupProbe"),
            *("lifecycle.postStart", "lifecycle.preStop"),
        )
        for action in ("httpGet", "tcpSocket")
    },
}
_VOLUME_TYPES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"),
    *("projected", "secret"),
}
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
def pod_security(obj: Object, _: Stack) -> Iterator[str]:
    """Pods comply with the Pod Security Standard restricted, and namespaces enforce it."""
    if obj.kind == "Namespace" and obj.labels.get(ENFORCE) != "restricted":
        yield f"set the label {ENFORCE}: restricted"
    if obj.pod is None:
        return
    yield from _check_pod(obj.pod)
    for container in obj.pod.containers:
        yield from _check_container(container, get_mapping(obj.pod.spec, "securityContext"))


def _check_fields(where: str, spec: Manifest, restricted: Restricted) -> Iterator[str]:
    for field, allowed in restricted.items():
        value = get(spec, *field.split("."))
        if value not in (None, "", *allowed):
            remedy = f"use {' or '.join(str(one) for one in allowed)}" if allowed else "remove it"
            yield f"{where}: {field} is {value}: {remedy}"
    if get(spec, "securityContext", "runAsUser") == 0:
        yield f"{where}: securityContext.runAsUser is 0: use another user"


def _check_pod(pod: Pod) -> Iterator[str]:
    yield from _check_fields("pod", pod.spec, {**_POD, **_SECURITY_CONTEXT})
    for volume in get_list(pod.spec, "volumes"):
        for volume_type in sorted(set(volume) - _VOLUME_TYPES - {"name"}):
            yield f"volume {volume.get('name')}: type {volume_type} is not allowed"
    for sysctl in get_list(pod.spec, "securityContext", "sysctls"):
        if sysctl.get("name") not in _SYSCTLS:
            yield f"pod: sysctl {sysctl.get('name')} is not allowed"


def _check_container(container: Container, pod_context: Manifest) -> Iterator[str]:
    where = f"container {container.name}"
    yield from _check_fields(where, container.spec, {**_CONTAINER, **_SECURITY_CONTEXT})
    context = get_mapping(container.spec, "securityContext")
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{where}: set securityContext.allowPrivilegeEscalation to false"
    if context.get("runAsNonRoot", pod_context.get("runAsNonRoot")) is not True:
        yield f"{where}: set securityContext.runAsNonRoot to true"
    if not get(context, "seccompProfile", "type") and not get(
        pod_context, "seccompProfile", "type"
    ):
        yield f"{where}: set securityContext.seccompProfile.type to RuntimeDefault"
    if "ALL" not in get_list(context, "capabilities", "drop"):
        yield f"{where}: set securityContext.capabilities.drop to [ALL]"
    added = set(get_list(context, "capabilities", "add")) - {"NET_BIND_SERVICE"}
    if added:
        yield f"{where}: remove {', '.join(sorted(added))} from securityContext.capabilities.add"
    for port in get_list(container.spec, "ports"):
        if port.get("hostPort"):
            yield f"{where}: remove hostPort {port['hostPort']}"
