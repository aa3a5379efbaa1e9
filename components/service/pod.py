"""Pod spec of a service: containers, volumes, security context and scheduling."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pulumi

from components.container import SECURITY_CONTEXT, resource_requirements
from components.labels import NAME_LABEL, Identity, Labels
from components.observability.trace_receiver import TraceReceiver
from components.service.config_file import ConfigFile
from components.service.containers import container_ports, init_containers, sidecars
from components.service.credentials import CredentialNames
from components.service.env import environment_from, service_environment
from components.service.probe import container_probes, knative_probes
from components.service.volumes import pod_volumes, storage_bytes, volume_mounts
from settings import (
    ARCHITECTURE,
    EDGE_NODE,
    NODE_GROUP,
    OFFLINE_TAINTS,
    BeforeStart,
    EdgeSettings,
    Scheduling,
    Service,
)

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import (
        AffinityArgsDict,
        ContainerArgsDict,
        ContainerPortArgsDict,
        LifecycleArgsDict,
        NodeSelectorRequirementArgsDict,
        PodSecurityContextArgsDict,
        PodSpecArgsDict,
        SecurityContextArgsDict,
        SysctlArgsDict,
        TolerationArgsDict,
        TopologySpreadConstraintArgsDict,
    )

_PRIVILEGED_PORTS = 1024


class ServicePod:
    """Pods of one version; they satisfy Pod Security ``restricted``.

    The ServiceAccount and the ConfigMap have the object name of ``identity``.
    """

    def __init__(
        self,
        identity: Identity,
        image: pulumi.Input[str],
        service: Service,
        credentials: CredentialNames,
        traces: TraceReceiver | None,
    ) -> None:
        self._identity = identity
        self._image = image
        self._service = service
        self._credentials = credentials.of_version(identity.version)
        self._traces = traces
        self._config = ConfigFile.of(service)

    @property
    def annotations(self) -> dict[str, pulumi.Input[str]]:
        """Annotations of the pods. A change restarts them."""
        annotations: dict[str, pulumi.Input[str]] = {}
        if self._config:
            annotations["checksum/config"] = self._config.restart_checksum
        if self._credentials.revision:
            annotations["checksum/secrets"] = self._credentials.revision
        if self._service.release.strategy == "progressive":
            # Flagger copies the HPA with a new version only.
            annotations["checksum/autoscaling"] = _checksum(self._service)
        if reason := self._service.security_context.exceptions.read_only_root_filesystem:
            annotations["exceptions/readOnlyRootFilesystem"] = reason
        return {**annotations, **self.env_reasons}

    @property
    def env_reasons(self) -> dict[str, str]:
        """Annotations with the reason for each secret in the environment."""
        return {
            f"exceptions/env.{entry.variable}": entry.reason
            for entry in self._service.secrets.values()
            if entry.variable and entry.reason
        }

    @property
    def spec(self) -> "PodSpecArgsDict":
        """Pod spec of a Deployment."""
        service, scheduling = self._service, self._service.workload.scheduling
        extra = init_containers(service, self._credentials.environment)
        container: ContainerArgsDict = {
            **self._container(),
            "lifecycle": self._lifecycle(),
            "ports": self._ports() or None,
            **container_probes(service.probes, service.ports),
        }
        return {
            **self._pod_spec([container], extra),
            "termination_grace_period_seconds": service.workload.termination_grace_period_seconds,
            "topology_spread_constraints": _topology_spread(scheduling, self._spread_pods),
        }

    @property
    def _spread_pods(self) -> Labels:
        """Labels of the pods to spread."""
        pods = self._identity.selector
        if self._service.release.strategy == "progressive":
            # The primary that Flagger creates has another name; it runs other ReplicaSets.
            return {key: value for key, value in pods.items() if key != NAME_LABEL}
        return pods

    def knative_spec(self, port_name: str) -> "PodSpecArgsDict":
        """Pod spec of a Knative revision, whose only container port has a name of Knative's.

        Knative sets the grace period, and ``queue-proxy`` ends the requests of a pod.
        """
        service, scheduling = self._service, self._service.workload.scheduling
        (number,) = service.ports.values()
        container: ContainerArgsDict = {
            **self._container(),
            "ports": [{"name": port_name, "container_port": number, "protocol": "TCP"}],
            **knative_probes(service.probes, service.ports),
        }
        extra = init_containers(service, self._credentials.environment)
        return {
            **self._pod_spec([container], extra),
            "topology_spread_constraints": _topology_spread(scheduling, self._spread_pods) or None,
        }

    def job_spec(self, job: BeforeStart) -> "PodSpecArgsDict":
        """Pod spec of a Job that runs a command with the image, volumes and sidecars."""
        container: ContainerArgsDict = {
            **self._container(),
            "command": [*job.command] or None,
            "args": [*job.args] or None,
            # The error of a failed Job then contains the end of its log.
            "termination_message_policy": "FallbackToLogsOnError",
        }
        return {**self._pod_spec([container], []), "restart_policy": "Never"}

    def _pod_spec(
        self, containers: "list[ContainerArgsDict]", extra: "list[ContainerArgsDict]"
    ) -> "PodSpecArgsDict":
        service, credentials = self._service, self._credentials
        scheduling = service.workload.scheduling
        return {
            "service_account_name": self._identity.object_name,
            "automount_service_account_token": (
                service.service_account.automount_service_account_token
            ),
            "enable_service_links": False,
            "image_pull_secrets": [{"name": name} for name in credentials.pull] or None,
            "security_context": _pod_security_context(service),
            "affinity": _affinity(scheduling, service.workload.edge),
            "tolerations": _tolerations(scheduling, service.workload.edge) or None,
            # An init container may connect through a sidecar, such as a database proxy.
            "init_containers": [*sidecars(service, credentials.environment), *extra] or None,
            "containers": containers,
            "volumes": pod_volumes(
                service.volumes,
                self._identity.object_name if self._config else None,
                self._secret_files,
                service.workload.ephemeral_storage,
            ),
        }

    def _container(self) -> "ContainerArgsDict":
        service, credentials, pods = self._service, self._credentials, self._service.workload
        storage = storage_bytes(service.volumes, pods.ephemeral_storage)
        return {
            "name": service.name,
            "image": self._image,
            "image_pull_policy": "IfNotPresent",
            "command": [*service.command] or None,
            "args": [*service.args] or None,
            "env": service_environment(self._identity, service, credentials, self._traces),
            "env_from": environment_from(service.env_from),
            "resources": resource_requirements(pods.resources, storage),
            "security_context": _container_security_context(service),
            "volume_mounts": volume_mounts(
                service.name, service.volumes, self._config, self._secret_files
            ),
        }

    @property
    def _secret_files(self) -> dict[str, str]:
        """Secret of each file."""
        return {
            name: self._credentials.secrets[name]
            for name, entry in self._service.secrets.items()
            if entry.as_ == "file"
        }

    def _ports(self) -> "list[ContainerPortArgsDict]":
        pprof = {"pprof": self._service.pprof_port} if self._service.pprof_port else {}
        return container_ports({**self._service.ports, **pprof})

    def _lifecycle(self) -> "LifecycleArgsDict | None":
        seconds = self._service.workload.pre_stop_sleep_seconds
        # Without ports there are no endpoints that proxies have to update before SIGTERM.
        has_sleep = seconds and self._service.ports
        return {"pre_stop": {"sleep": {"seconds": seconds}}} if has_sleep else None


def _checksum(service: Service) -> str:
    # `repr` omits startReplicas, which is not in the HPA: a changed checksum starts an analysis.
    return hashlib.sha256(repr(service.autoscaling).encode()).hexdigest()[:16]


def _pod_security_context(service: Service) -> "PodSecurityContextArgsDict":
    user, group = service.security_context.run_as_user, service.security_context.run_as_group
    return {
        "run_as_non_root": True,
        "run_as_user": user,
        "run_as_group": group,
        "fs_group": group,
        "seccomp_profile": {"type": "RuntimeDefault"},
        "sysctls": _sysctls([*service.ports.values()]) or None,
    }


def _sysctls(ports: Sequence[int]) -> "list[SysctlArgsDict]":
    """Let the user bind ports below 1024. Pod Security ``restricted`` allows this sysctl."""
    lowest = min(ports, default=_PRIVILEGED_PORTS)
    if lowest >= _PRIVILEGED_PORTS:
        return []
    return [{"name": "net.ipv4.ip_unprivileged_port_start", "value": str(lowest)}]


def _container_security_context(service: Service) -> "SecurityContextArgsDict":
    reason = service.security_context.exceptions.read_only_root_filesystem
    return {**SECURITY_CONTEXT, "read_only_root_filesystem": reason is None}


def _affinity(scheduling: Scheduling, edge: EdgeSettings | None) -> "AffinityArgsDict":
    required = _requirements(scheduling.node_affinity.required)
    if edge:
        required += _edge_nodes(edge)
    preferred = _requirements(scheduling.node_affinity.preferred)
    return {
        "node_affinity": {
            "required_during_scheduling_ignored_during_execution": {
                "node_selector_terms": [{"match_expressions": required}]
            }
            if required
            else None,
            "preferred_during_scheduling_ignored_during_execution": [
                {"weight": 1, "preference": {"match_expressions": [requirement]}}
                for requirement in preferred
            ]
            or None,
        }
    }


def _requirements(labels: Labels) -> "list[NodeSelectorRequirementArgsDict]":
    return [{"key": key, "operator": "In", "values": [value]} for key, value in labels.items()]


def _edge_nodes(edge: EdgeSettings) -> "list[NodeSelectorRequirementArgsDict]":
    group = {NODE_GROUP: edge.node_group} if edge.node_group else {}
    return [
        {"key": EDGE_NODE, "operator": "Exists"},
        {"key": ARCHITECTURE, "operator": "In", "values": [*edge.architectures]},
        *_requirements(group),
    ]


def _tolerations(scheduling: Scheduling, edge: EdgeSettings | None) -> "list[TolerationArgsDict]":
    own: list[TolerationArgsDict] = [
        {
            "key": toleration.key,
            "operator": toleration.operator,
            "value": toleration.value or None,
            "effect": toleration.effect,
        }
        for toleration in scheduling.tolerations
    ]
    return [*own, *(_edge_tolerations(edge) if edge else ())]


def _edge_tolerations(edge: EdgeSettings) -> "list[TolerationArgsDict]":
    """Tolerations for the taints of edge nodes, also while a node is offline.

    The scheduler places no new pod on an offline node: it has these taints with NoSchedule too.
    """
    return [
        {"key": EDGE_NODE, "operator": "Exists"},
        *(
            {
                "key": taint,
                "operator": "Exists",
                "effect": "NoExecute",
                "toleration_seconds": edge.offline_seconds,
            }
            for taint in OFFLINE_TAINTS
        ),
    ]


def _topology_spread(
    scheduling: Scheduling, selector: Labels
) -> "list[TopologySpreadConstraintArgsDict]":
    return [
        {
            "max_skew": 1,
            "topology_key": key,
            "when_unsatisfiable": scheduling.topology_spread.when_unsatisfiable,
            "label_selector": {"match_labels": selector},
            # Count only pods of the current ReplicaSet.
            "match_label_keys": ["pod-template-hash"],
        }
        for key in scheduling.topology_spread.topology_keys
    ]
