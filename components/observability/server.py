"""One server of observability: what a description of it comes to in Kubernetes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Generic, Literal, TypedDict, TypeVar

import pulumi
from pulumi_kubernetes.apps.v1 import DaemonSet, Deployment, StatefulSet
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    PersistentVolumeClaim,
    Secret,
    Service,
    ServiceAccount,
)
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from components.container import SECURITY_CONTEXT, go_environment, resource_requirements
from components.labels import Identity
from components.network_peer import DNS_EGRESS, NetworkPeer
from components.prune import prune_none
from components.secret_data import secret_data
from settings import ResourceRequirements, Storage, format_mebibytes

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import (
        ContainerArgsDict,
        EnvVarArgsDict,
        PodSpecArgsDict,
        PodTemplateSpecArgsDict,
        ProbeArgsDict,
        VolumeArgsDict,
        VolumeMountArgsDict,
    )
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
    from pulumi_kubernetes.rbac.v1 import PolicyRuleArgsDict

_TMP_BYTES = Decimal(64 * 2**20)
_STARTS_WITHIN = 900
"""Seconds; to read a write-ahead log again after a crash can take minutes."""
_WAIT = f"{_STARTS_WITHIN + 300}s"
"""For the slowest start, and until then for the volume and the image."""
_TIMEOUTS = pulumi.CustomTimeouts(create=_WAIT, update=_WAIT)


SECRETS = PurePosixPath("/run/secrets/server")
"""Where the files of :attr:`Description.secrets` are."""
_CONFIG = PurePosixPath("/etc/server")
_DATA = PurePosixPath("/data")


API_SERVER = NetworkPeer(None, (443, 6443))
"""It is no pod, so a policy cannot name it but by the ports that it commonly has."""


@dataclass(frozen=True)
class Http:
    """Where the kubelet asks."""

    path: str
    port: int


@dataclass(frozen=True)
class Tcp:
    """Where the kubelet only connects: for servers with one page that tells anything."""

    port: int


@dataclass(frozen=True)
class HostFolder:
    """A folder of the node."""

    path: str
    mount: str
    writable: bool = False
    """A folder that can be written to is made where it is missing."""
    follows_mounts: bool = False
    """What the node mounts and unmounts below it later is mounted and unmounted here too."""


@dataclass(frozen=True)
class Description:
    """What one server is, whatever Kubernetes needs for it."""

    kind: Literal["Deployment", "StatefulSet", "DaemonSet"]
    namespace: str
    image: str
    user: int
    """The user and group that it runs as; 0 only where the node's own files are read."""
    resources: ResourceRequirements
    ports: Mapping[str, int]
    """Name and number of each."""
    ready: Http
    """Answers when requests can be served."""
    alive: Http | Tcp
    """Does not answer when only a restart helps."""
    args: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """``$(NODE_NAME)`` is the node's name."""

    # Files
    folder: PurePosixPath = _CONFIG
    """Where :attr:`files` are."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Path below :attr:`folder` and text."""
    reread: frozenset[str] = frozenset()
    """Those of them that the server reads again when they change. Others restart it."""
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Name and text of files below :data:`SECRETS`."""
    data: PurePosixPath = _DATA
    """Where :attr:`store` is mounted."""
    store: Storage | None = None
    """The volume. Left out: nothing outlasts the pod."""
    host_folders: Sequence[HostFolder] = ()

    # Who may do what
    may: "Sequence[PolicyRuleArgsDict]" = ()
    """What it may ask of the API server. Empty: it cannot even log in there."""
    reached_by: Sequence[NetworkPeer] = ()
    """Who connects to it."""
    reaches: Sequence[NetworkPeer] = ()
    """Whom it connects to, beside DNS and, where it may ask something, the API server."""


class ServerArgs(TypedDict):
    """Arguments of every :class:`Server`."""

    monitoring_namespace: str
    """Namespace of the servers."""
    node_namespace: str
    """Namespace of the agents on every node."""


Args = TypeVar("Args", bound=ServerArgs)


class Server(pulumi.ComponentResource, Generic[Args]):
    """A server and all it needs: its configuration, volume, rights and network policy.

    A server of its own kind implements :meth:`describe`. There is one pod of it, or one per node;
    none of them is a stand-in for another, so there is no disruption budget.
    """

    def __init__(self, name: str, args: Args, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"slipway:observability:{type(self).__name__}", name, None, opts)
        self._name = name
        self._description = about = self.describe(args)
        version = about.image.rpartition(":")[2].removeprefix("v")
        self._identity = Identity(name, about.namespace, version=version)
        self._child = pulumi.ResourceOptions(parent=self)
        self._workload(args["monitoring_namespace"])
        if about.ports and about.kind != "DaemonSet":
            self._service()
        self.register_outputs({})

    def describe(self, args: Args) -> Description:
        """Return the description of this server."""
        raise NotImplementedError

    def _metadata(self) -> "ObjectMetaArgsDict":
        return {
            "name": self._name,
            "namespace": self._description.namespace,
            "labels": self._identity.labels,
        }

    def _workload(self, owner: str) -> None:
        name, about = self._name, self._description
        needs: list[pulumi.Resource] = [
            ServiceAccount(
                f"{name}-account",
                metadata=self._metadata(),
                automount_service_account_token=False,
                opts=self._child,
            ),
            self._network_policy(),
        ]
        if about.may:
            needs += self._rights(f"{owner}-{name}")
        if about.files:
            needs.append(
                ConfigMap(
                    f"{name}-config",
                    metadata=self._metadata(),
                    data={_key(path): text for path, text in about.files.items()},
                    opts=self._child,
                )
            )
        if about.secrets:
            needs.append(
                Secret(
                    f"{name}-secrets",
                    metadata=self._metadata(),
                    type="Opaque",
                    data=secret_data(about.secrets),
                    opts=self._child,
                )
            )
        if about.store:
            needs.append(self._claim(about.store))
        kind = {"Deployment": Deployment, "StatefulSet": StatefulSet, "DaemonSet": DaemonSet}
        kind[about.kind](
            f"{name}-{about.kind.lower()}",
            metadata=self._metadata(),
            spec=prune_none(
                {
                    "selector": {"match_labels": self._identity.selector},
                    "template": self._template(),
                    **_how_many(name, about.kind),
                }
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs, custom_timeouts=_TIMEOUTS),
        )

    def _template(self) -> "PodTemplateSpecArgsDict":
        about = self._description
        restarts = {path: text for path, text in about.files.items() if path not in about.reread}
        checksum = hashlib.sha256(repr(sorted(restarts.items())).encode()).hexdigest()[:16]
        return {
            "metadata": {
                "labels": self._identity.labels,
                "annotations": {"checksum/config": checksum} if restarts else None,
            },
            "spec": self._pod(),
        }

    def _pod(self) -> "PodSpecArgsDict":
        about = self._description
        on_every_node = about.kind == "DaemonSet"
        return {
            "service_account_name": self._name,
            "automount_service_account_token": bool(about.may),
            "enable_service_links": False,
            "node_selector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"operator": "Exists"}] if on_every_node else None,
            "termination_grace_period_seconds": 60,
            "security_context": {
                "run_as_non_root": about.user != 0,
                "run_as_user": about.user,
                "run_as_group": about.user,
                "fs_group": about.user,
                # Else the kubelet would walk the whole volume at every start.
                "fs_group_change_policy": "OnRootMismatch",
                "seccomp_profile": {"type": "RuntimeDefault"},
            },
            "containers": [self._container()],
            "volumes": list(self._volumes()),
        }

    def _container(self) -> "ContainerArgsDict":
        about = self._description
        return {
            "name": self._name,
            "image": about.image,
            "image_pull_policy": "IfNotPresent",
            "args": list(about.args) or None,
            "ports": [
                {"name": name, "container_port": port, "protocol": "TCP"}
                for name, port in about.ports.items()
            ],
            "env": self._environment(),
            "resources": resource_requirements(about.resources, _TMP_BYTES),
            "startup_probe": _probe(about.ready, period=1, failures=_STARTS_WITHIN),
            "readiness_probe": _probe(about.ready, period=5),
            "liveness_probe": _probe(about.alive, period=10, failures=6),
            "security_context": SECURITY_CONTEXT,
            "volume_mounts": list(self._mounts()),
        }

    def _environment(self) -> "list[EnvVarArgsDict]":
        about = self._description
        return [
            {"name": "NODE_NAME", "value_from": {"field_ref": {"field_path": "spec.nodeName"}}},
            *go_environment(about.resources.limits),
            *({"name": key, "value": value} for key, value in about.environment.items()),
        ]

    def _volumes(self) -> "Sequence[VolumeArgsDict]":
        about = self._description
        volumes: list[VolumeArgsDict] = [
            {"name": "tmp", "empty_dir": {"size_limit": format_mebibytes(_TMP_BYTES)}}
        ]
        if about.files:
            volumes.append(
                {
                    "name": "config",
                    "config_map": {
                        "name": self._name,
                        "items": [{"key": _key(path), "path": path} for path in about.files],
                    },
                }
            )
        if about.secrets:
            volumes.append(
                {"name": "secrets", "secret": {"secret_name": self._name, "default_mode": 0o440}}
            )
        if about.store:
            volumes.append({"name": "data", "persistent_volume_claim": {"claim_name": self._name}})
        for number, folder in enumerate(about.host_folders):
            kind = "DirectoryOrCreate" if folder.writable else "Directory"
            volumes.append(
                {"name": f"host-{number}", "host_path": {"path": folder.path, "type": kind}}
            )
        return volumes

    def _mounts(self) -> "Sequence[VolumeMountArgsDict]":
        about = self._description
        mounts: list[VolumeMountArgsDict] = [{"name": "tmp", "mount_path": "/tmp"}]  # noqa: S108
        if about.files:
            mounts.append({"name": "config", "mount_path": str(about.folder), "read_only": True})
        if about.secrets:
            mounts.append({"name": "secrets", "mount_path": str(SECRETS), "read_only": True})
        if about.store:
            mounts.append({"name": "data", "mount_path": str(about.data)})
        for number, folder in enumerate(about.host_folders):
            propagation = "HostToContainer" if folder.follows_mounts else None
            mounts.append(
                {
                    "name": f"host-{number}",
                    "mount_path": folder.mount,
                    "read_only": not folder.writable,
                    "mount_propagation": propagation,
                }
            )
        return mounts

    def _service(self) -> None:
        Service(
            f"{self._name}-service",
            metadata={
                **self._metadata(),
                # The workload waits for its pod; the Service would only wait for the same again.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "type": "ClusterIP",
                "selector": self._identity.selector,
                "ports": [
                    {"name": name, "port": port, "target_port": name, "protocol": "TCP"}
                    for name, port in self._description.ports.items()
                ],
            },
            opts=self._child,
        )

    def _claim(self, store: Storage) -> PersistentVolumeClaim:
        # Not a template of the StatefulSet, which could never be given a larger volume.
        return PersistentVolumeClaim(
            f"{self._name}-data",
            metadata={
                **self._metadata(),
                # Most classes bind a volume only for a pod that is there.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec=prune_none(
                {
                    "access_modes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": store.volume_size}},
                    "storage_class_name": store.storage_class_name,
                }
            ),
            opts=self._child,
        )

    def _rights(self, name: str) -> list[pulumi.Resource]:
        labels = self._identity.labels
        role = ClusterRole(
            f"{self._name}-role",
            metadata={"name": name, "labels": labels},
            rules=list(self._description.may),
            opts=self._child,
        )
        binding = ClusterRoleBinding(
            f"{self._name}-role-binding",
            metadata={"name": name, "labels": labels},
            role_ref={
                "api_group": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": name,
            },
            subjects=[
                {
                    "kind": "ServiceAccount",
                    "name": self._name,
                    "namespace": self._description.namespace,
                }
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
        )
        return [role, binding]

    def _network_policy(self) -> NetworkPolicy:
        about = self._description
        reaches = [*about.reaches, *([API_SERVER] if about.may else [])]
        return NetworkPolicy(
            f"{self._name}-network",
            metadata=self._metadata(),
            spec={
                "pod_selector": {"match_labels": self._identity.selector},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [peer.ingress for peer in about.reached_by],
                "egress": [
                    *([DNS_EGRESS] if reaches else []),
                    *(peer.egress for peer in reaches),
                ],
            },
            opts=self._child,
        )


def _how_many(name: str, kind: str) -> dict[str, object]:
    match kind:
        case "DaemonSet":
            rolling = {"type": "RollingUpdate", "rolling_update": {"max_unavailable": "10%"}}
            return {"update_strategy": rolling}
        case "StatefulSet":
            # In parallel: else a pod that never gets ready would not be replaced by a mended one.
            return {"replicas": 1, "service_name": name, "pod_management_policy": "Parallel"}
    surge = {"max_surge": 1, "max_unavailable": 0}
    return {"replicas": 1, "strategy": {"type": "RollingUpdate", "rolling_update": surge}}


def _key(path: str) -> str:
    return path.replace("/", ".")


def _probe(where: Http | Tcp, period: int, failures: int = 3) -> "ProbeArgsDict":
    pace: ProbeArgsDict = {
        "period_seconds": period,
        "timeout_seconds": 5,
        "failure_threshold": failures,
    }
    if isinstance(where, Tcp):
        return {"tcp_socket": {"port": where.port}, **pace}
    return {"http_get": {"path": where.path, "port": where.port, "scheme": "HTTP"}, **pace}
