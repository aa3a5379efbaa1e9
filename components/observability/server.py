"""Kubernetes objects of a monitoring server, from a description of the server."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

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
from components.network_peer import API_SERVER_PORTS, DNS_EGRESS, NetworkPeer, ip_block_peer
from components.observability.args import ObservabilityArgs
from components.prune import prune_none
from components.secret_data import secret_data
from settings import Network, ResourceRequirements, Storage, format_mebibytes

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import (
        ContainerArgsDict,
        KeyToPathArgsDict,
        PodSpecArgsDict,
        PodTemplateSpecArgsDict,
        ProbeArgsDict,
        SecretVolumeSourceArgsDict,
        VolumeArgsDict,
        VolumeMountArgsDict,
        VolumeProjectionArgsDict,
    )
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
    from pulumi_kubernetes.rbac.v1 import PolicyRuleArgsDict

_TMP_BYTES = Decimal(64 * 2**20)
_MAX_CONFIG_MAP_BYTES = 900_000
_STARTUP_SECONDS = 900
"""Failure threshold of the startup probe: replaying a write-ahead log can take minutes."""
_TIMEOUT = f"{_STARTUP_SECONDS + 300}s"
"""Slowest start, and 5 minutes to bind the volume and pull the image."""
_CUSTOM_TIMEOUTS = pulumi.CustomTimeouts(create=_TIMEOUT, update=_TIMEOUT)

SECRETS = PurePosixPath("/run/secrets/server")
"""Mount path of :attr:`ServerSpec.secrets`."""
_CONFIG_DIR = PurePosixPath("/etc/server")
_DATA_DIR = PurePosixPath("/data")


@dataclass(frozen=True)
class HttpProbe:
    """HTTP GET probe."""

    path: str
    port: int


@dataclass(frozen=True)
class TcpProbe:
    """TCP socket probe."""

    port: int


@dataclass(frozen=True)
class HostPath:
    """Directory of the node."""

    path: str
    mount_path: str
    writable: bool = False
    """Mounts the directory writable, and creates it if it is missing."""
    mount_propagation: Literal["HostToContainer"] | None = None


@dataclass(frozen=True)
class ServerSpec:
    """Description of a server."""

    kind: Literal["Deployment", "StatefulSet", "DaemonSet"]
    namespace: str
    image: str
    user: int
    """User and group ID. 0 only to read files of the node that belong to root."""
    resources: ResourceRequirements
    ports: Mapping[str, int]
    """Container port numbers by name."""
    readiness: HttpProbe
    """Also the startup probe."""
    liveness: HttpProbe | TcpProbe
    args: Sequence[str] = ()

    config_dir: PurePosixPath = _CONFIG_DIR
    """Mount path of :attr:`config_files`."""
    config_files: Mapping[str, str] = field(default_factory=dict)
    """Contents by path below :attr:`config_dir`."""
    hot_reloaded: frozenset[str] = frozenset()
    """Paths of the files that the server reloads by itself. A change of any other restarts it."""
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Contents of secret files by name below :data:`SECRETS`."""
    data_dir: PurePosixPath = _DATA_DIR
    """Mount path of :attr:`storage`."""
    storage: Storage | None = None
    """Persistent volume. Default: none."""
    host_paths: Sequence[HostPath] = ()

    rbac_rules: "Sequence[PolicyRuleArgsDict]" = ()
    """Permissions in the Kubernetes API. Empty: the pod gets no service account token."""
    ingress: Sequence[NetworkPeer] = ()
    """Peers that may connect to the server."""
    egress: Sequence[NetworkPeer] = ()
    """Peers that the server may connect to, in addition to DNS and, with :attr:`rbac_rules`, the
    API server."""


class Server(pulumi.ComponentResource):
    """Workload, configuration, volume, RBAC rules and NetworkPolicy of a server.

    Subclasses implement :meth:`spec`. There is one pod, or one per node: no PodDisruptionBudget.
    """

    def __init__(
        self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(f"slipway:observability:{type(self).__name__}", name, None, opts)
        self._name = name
        self._spec = spec = self.spec(args)
        version = spec.image.rpartition(":")[2].removeprefix("v")
        self._identity = Identity(name, spec.namespace, version=version)
        self._child = pulumi.ResourceOptions(parent=self)
        self._workload(args["network"])
        if spec.ports and spec.kind != "DaemonSet":
            self._service()
        self.register_outputs({})

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        """Description of the server."""
        raise NotImplementedError

    def _metadata(self) -> "ObjectMetaArgsDict":
        return {
            "name": self._name,
            "namespace": self._spec.namespace,
            "labels": self._identity.labels,
        }

    def _workload(self, network: Network) -> None:
        name, spec = self._name, self._spec
        depends_on: list[pulumi.Resource] = [
            ServiceAccount(
                f"{name}-account",
                metadata=self._metadata(),
                automount_service_account_token=False,
                opts=self._child,
            ),
            self._network_policy(network),
        ]
        if spec.rbac_rules:
            # The names of cluster-scoped objects must be unique among stacks.
            depends_on += self._cluster_role(f"{network.monitoring_namespace}-{name}")
        claims = [self._persistent_volume_claim(spec.storage)] if spec.storage else []
        # The configuration limits the data to the size of the volume: if the volume cannot be
        # expanded, the configuration stays as it is.
        after_claims = pulumi.ResourceOptions(parent=self, depends_on=claims)
        depends_on += claims
        for number, files in enumerate(_config_maps(spec.config_files)):
            config_name = _numbered(name, number)
            depends_on.append(
                ConfigMap(
                    _numbered(f"{name}-config", number),
                    metadata={**self._metadata(), "name": config_name},
                    data={_key(path): text for path, text in files.items()},
                    opts=after_claims,
                )
            )
        if spec.secrets:
            depends_on.append(
                Secret(
                    f"{name}-secrets",
                    metadata=self._metadata(),
                    type="Opaque",
                    data=secret_data(spec.secrets),
                    opts=self._child,
                )
            )
        kinds = {"Deployment": Deployment, "StatefulSet": StatefulSet, "DaemonSet": DaemonSet}
        kinds[spec.kind](
            f"{name}-{spec.kind.lower()}",
            metadata=self._metadata(),
            spec=prune_none(
                {
                    "selector": {"match_labels": self._identity.selector},
                    "template": self._template(),
                    **_replicas_and_strategy(name, spec.kind),
                }
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=depends_on, custom_timeouts=_CUSTOM_TIMEOUTS
            ),
        )

    def _template(self) -> "PodTemplateSpecArgsDict":
        spec = self._spec
        files = sorted(
            (path, text)
            for path, text in spec.config_files.items()
            if path not in spec.hot_reloaded
        )
        checksum = hashlib.sha256(repr(files).encode()).hexdigest()[:16]
        return {
            "metadata": {
                "labels": self._identity.labels,
                "annotations": {"checksum/config": checksum} if files else None,
            },
            "spec": self._pod(),
        }

    def _pod(self) -> "PodSpecArgsDict":
        spec = self._spec
        is_daemon_set = spec.kind == "DaemonSet"
        volumes = self._volumes()
        return {
            "service_account_name": self._name,
            "automount_service_account_token": bool(spec.rbac_rules),
            "enable_service_links": False,
            "node_selector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"operator": "Exists"}] if is_daemon_set else None,
            "termination_grace_period_seconds": 60,
            "security_context": {
                "run_as_non_root": spec.user != 0,
                "run_as_user": spec.user,
                "run_as_group": spec.user,
                "fs_group": spec.user,
                # Do not change the ownership of every file of the volume at every start.
                "fs_group_change_policy": "OnRootMismatch",
                "seccomp_profile": {"type": "RuntimeDefault"},
            },
            "containers": [self._container([mount for _, mount in volumes])],
            "volumes": [volume for volume, _ in volumes],
        }

    def _container(self, volume_mounts: "list[VolumeMountArgsDict]") -> "ContainerArgsDict":
        spec = self._spec
        return {
            "name": self._name,
            "image": spec.image,
            "image_pull_policy": "IfNotPresent",
            "args": list(spec.args) or None,
            "ports": [
                {"name": name, "container_port": port, "protocol": "TCP"}
                for name, port in spec.ports.items()
            ],
            "env": [
                {"name": "NODE_NAME", "value_from": {"field_ref": {"field_path": "spec.nodeName"}}},
                *go_environment(spec.resources.limits),
            ],
            "resources": resource_requirements(spec.resources, _TMP_BYTES),
            "startup_probe": _probe(spec.readiness, period=1, failures=_STARTUP_SECONDS),
            "readiness_probe": _probe(spec.readiness, period=5),
            "liveness_probe": _probe(spec.liveness, period=10, failures=6),
            "security_context": SECURITY_CONTEXT,
            "volume_mounts": volume_mounts,
        }

    def _volumes(self) -> "list[tuple[VolumeArgsDict, VolumeMountArgsDict]]":
        spec = self._spec
        volumes: list[tuple[VolumeArgsDict, VolumeMountArgsDict]] = [
            (
                {"name": "tmp", "empty_dir": {"size_limit": format_mebibytes(_TMP_BYTES)}},
                {"name": "tmp", "mount_path": "/tmp"},  # noqa: S108
            )
        ]
        if spec.config_files:
            volumes.append(
                (
                    self._config_volume(),
                    {"name": "config", "mount_path": str(spec.config_dir), "read_only": True},
                )
            )
        if spec.secrets:
            secret: SecretVolumeSourceArgsDict = {"secret_name": self._name, "default_mode": 0o440}
            volumes.append(
                (
                    {"name": "secrets", "secret": secret},
                    {"name": "secrets", "mount_path": str(SECRETS), "read_only": True},
                )
            )
        if spec.storage:
            volumes.append(
                (
                    {"name": "data", "persistent_volume_claim": {"claim_name": self._name}},
                    {"name": "data", "mount_path": str(spec.data_dir)},
                )
            )
        for number, host_path in enumerate(spec.host_paths):
            kind = "DirectoryOrCreate" if host_path.writable else "Directory"
            name = f"host-{number}"
            volumes.append(
                (
                    {"name": name, "host_path": {"path": host_path.path, "type": kind}},
                    {
                        "name": name,
                        "mount_path": host_path.mount_path,
                        "read_only": not host_path.writable,
                        "mount_propagation": host_path.mount_propagation,
                    },
                )
            )
        return volumes

    def _config_volume(self) -> "VolumeArgsDict":
        config_maps = _config_maps(self._spec.config_files)
        if len(config_maps) == 1:
            items = _items(config_maps[0])
            return {"name": "config", "config_map": {"name": self._name, "items": items}}
        sources: list[VolumeProjectionArgsDict] = [
            {"config_map": {"name": _numbered(self._name, number), "items": _items(files)}}
            for number, files in enumerate(config_maps)
        ]
        return {"name": "config", "projected": {"sources": sources}}

    def _service(self) -> None:
        Service(
            f"{self._name}-service",
            metadata={
                **self._metadata(),
                # The workload's await covers the pods that the Service would wait for.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "type": "ClusterIP",
                "selector": self._identity.selector,
                "ports": [
                    {"name": name, "port": port, "target_port": name, "protocol": "TCP"}
                    for name, port in self._spec.ports.items()
                ],
            },
            opts=self._child,
        )

    def _persistent_volume_claim(self, storage: Storage) -> PersistentVolumeClaim:
        # Not in volumeClaimTemplates, which are immutable: the volume could not be expanded.
        return PersistentVolumeClaim(
            f"{self._name}-data",
            metadata={
                **self._metadata(),
                # Most storage classes bind a volume only when a pod uses it.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec=prune_none(
                {
                    "access_modes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": storage.volume_size}},
                    "storage_class_name": storage.storage_class_name,
                }
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # Immutable: a change would delete the claim, with its data, to create another one.
                ignore_changes=["spec.storageClassName"],
            ),
        )

    def _cluster_role(self, name: str) -> list[pulumi.Resource]:
        labels = self._identity.labels
        role = ClusterRole(
            f"{self._name}-role",
            metadata={"name": name, "labels": labels},
            rules=list(self._spec.rbac_rules),
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
                    "namespace": self._spec.namespace,
                }
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
        )
        return [role, binding]

    def _network_policy(self, network: Network) -> NetworkPolicy:
        spec = self._spec
        egress = list(spec.egress)
        if spec.rbac_rules:
            egress.append(ip_block_peer(network.node_cidrs, *API_SERVER_PORTS))
        return NetworkPolicy(
            f"{self._name}-network",
            metadata=self._metadata(),
            spec={
                "pod_selector": {"match_labels": self._identity.selector},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [peer.ingress for peer in spec.ingress],
                "egress": [
                    *([DNS_EGRESS] if egress else []),
                    *(peer.egress for peer in egress),
                ],
            },
            opts=self._child,
        )


def _replicas_and_strategy(name: str, kind: str) -> dict[str, object]:
    match kind:
        case "DaemonSet":
            rolling = {"type": "RollingUpdate", "rolling_update": {"max_unavailable": "10%"}}
            return {"update_strategy": rolling}
        case "StatefulSet":
            # Parallel, so that an update also replaces a pod that never became ready.
            return {"replicas": 1, "service_name": name, "pod_management_policy": "Parallel"}
    surge = {"max_surge": 1, "max_unavailable": 0}
    return {"replicas": 1, "strategy": {"type": "RollingUpdate", "rolling_update": surge}}


def _config_maps(config_files: Mapping[str, str]) -> list[dict[str, str]]:
    """Files of each ConfigMap. Usually there is one; a ConfigMap has at most 1 MiB."""
    config_maps: list[dict[str, str]] = []
    size = 0
    for path, text in config_files.items():
        size += len(text.encode())
        if not config_maps or size > _MAX_CONFIG_MAP_BYTES:
            config_maps.append({})
            size = len(text.encode())
        config_maps[-1][path] = text
    return config_maps


def _items(files: Mapping[str, str]) -> "list[KeyToPathArgsDict] | None":
    """Paths of the keys. ``None`` without folders: adding a file then keeps the pod spec."""
    if not any("/" in path for path in files):
        return None
    return [{"key": _key(path), "path": path} for path in files]


def _numbered(name: str, number: int) -> str:
    return f"{name}-{number + 1}" if number else name


def _key(path: str) -> str:
    return path.replace("/", ".")


def _probe(probe: HttpProbe | TcpProbe, period: int, failures: int = 3) -> "ProbeArgsDict":
    thresholds: ProbeArgsDict = {
        "period_seconds": period,
        "timeout_seconds": 5,
        "failure_threshold": failures,
    }
    if isinstance(probe, TcpProbe):
        return {"tcp_socket": {"port": probe.port}, **thresholds}
    return {"http_get": {"path": probe.path, "port": probe.port, "scheme": "HTTP"}, **thresholds}
