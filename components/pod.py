"""The pod of a workload: hardened, placed and sized the same on every track."""

from decimal import Decimal
from typing import TYPE_CHECKING

from components.config_file import CONFIG_FILE, TOKEN_FILE
from schemas.values import amount, mebibytes
from settings import Compute, Placement, Probe, Resources, WorkloadSettings

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import (
        AffinityArgsDict,
        ContainerArgsDict,
        EnvVarArgsDict,
        NodeSelectorRequirementArgsDict,
        PodSpecArgsDict,
        ProbeArgsDict,
        ResourceRequirementsArgsDict,
        TolerationArgsDict,
        TopologySpreadConstraintArgsDict,
    )

    from components.labels import Labels
    from components.workload import WorkloadArgs

_USER = 65532
"""The user that the image runs as; "nonroot" in distroless images."""
_MEMORY_SHARE = 90
"""Percent of the memory limit at which Go's collector works harder, before the kernel kills."""

_LOG_BYTES = 64 * 2**20
"""What a container's log may take: the kubelet keeps five files of 10 MiB, and is a little late."""


def pod_spec(args: "WorkloadArgs", service_account: str, config_map: str) -> "PodSpecArgsDict":
    """The pod of one track; it satisfies Pod Security ``restricted``."""
    pods = args["pods"]
    placement = pods.placement
    return {
        "service_account_name": service_account,
        "automount_service_account_token": False,
        "enable_service_links": False,
        "image_pull_secrets": [{"name": name} for name in args["credentials"].pull] or None,
        "security_context": {
            "run_as_non_root": True,
            "run_as_user": _USER,
            "run_as_group": _USER,
            "fs_group": _USER,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
        "termination_grace_period_seconds": pods.termination_grace_period_seconds,
        "affinity": _affinity(placement),
        "topology_spread_constraints": _spread(placement, args["identity"].selector),
        "tolerations": _tolerations(placement) or None,
        "containers": [_container(args)],
        "volumes": [
            {"name": "config", "config_map": {"name": config_map}},
            {
                "name": "token",
                "secret": {"secret_name": args["credentials"].token, "default_mode": 0o440},
            },
            {"name": "tmp", "empty_dir": {"size_limit": pods.temporary_storage}},
        ],
    }


def _container(args: "WorkloadArgs") -> "ContainerArgsDict":
    pods, service = args["pods"], args["service"]
    return {
        "name": service.name,
        "image": args["image"],
        "image_pull_policy": "IfNotPresent",
        "ports": [
            {"name": "http", "container_port": service.port, "protocol": "TCP"},
            {"name": "admin", "container_port": service.admin_port, "protocol": "TCP"},
        ],
        "env": _environment(args["identity"].track or "stable", pods.resources),
        "resources": _resources(pods),
        "startup_probe": _probe(pods.probes.startup),
        "liveness_probe": _probe(pods.probes.liveness),
        "readiness_probe": _probe(pods.probes.readiness),
        "security_context": {
            "allow_privilege_escalation": False,
            "capabilities": {"drop": ["ALL"]},
            "read_only_root_filesystem": True,
        },
        "volume_mounts": [
            {"name": "config", "mount_path": str(CONFIG_FILE.parent), "read_only": True},
            {"name": "token", "mount_path": str(TOKEN_FILE.parent), "read_only": True},
            {"name": "tmp", "mount_path": "/tmp"},  # noqa: S108
        ],
    }


def _resources(pods: WorkloadSettings) -> "ResourceRequirementsArgsDict":
    storage = amount(pods.temporary_storage)
    return {
        "requests": _compute(pods.resources.requests, storage),
        "limits": _compute(pods.resources.limits, storage + _LOG_BYTES),
    }


def _compute(compute: Compute, storage: Decimal) -> dict[str, str]:
    return {
        "cpu": compute.cpu,
        "memory": compute.memory,
        "ephemeral-storage": mebibytes(storage),
    }


def _environment(track: str, resources: Resources) -> "list[EnvVarArgsDict]":
    memory = int(amount(resources.limits.memory)) * _MEMORY_SHARE // 100
    return [
        {"name": "TRACK", "value": track},
        {"name": "POD_NAME", "value_from": {"field_ref": {"field_path": "metadata.name"}}},
        {
            "name": "POD_NAMESPACE",
            "value_from": {"field_ref": {"field_path": "metadata.namespace"}},
        },
        # Whole cores, rounded up.
        {"name": "GOMAXPROCS", "value_from": {"resource_field_ref": {"resource": "limits.cpu"}}},
        {"name": "GOMEMLIMIT", "value": f"{memory}B"},
    ]


def _probe(probe: Probe) -> "ProbeArgsDict":
    return {
        "http_get": {"path": probe.path, "port": "http", "scheme": "HTTP"},
        "initial_delay_seconds": probe.initial_delay_seconds,
        "period_seconds": probe.period_seconds,
        "timeout_seconds": probe.timeout_seconds,
        "failure_threshold": probe.failure_threshold,
    }


def _affinity(placement: Placement) -> "AffinityArgsDict":
    required, preferred = _has(placement.required), _has(placement.preferred)
    return {
        "node_affinity": {
            "required_during_scheduling_ignored_during_execution": {
                "node_selector_terms": [{"match_expressions": required}]
            }
            if required
            else None,
            "preferred_during_scheduling_ignored_during_execution": [
                {"weight": 1, "preference": {"match_expressions": [one]}} for one in preferred
            ]
            or None,
        }
    }


def _has(labels: "Labels") -> "list[NodeSelectorRequirementArgsDict]":
    return [{"key": key, "operator": "In", "values": [value]} for key, value in labels.items()]


def _tolerations(placement: Placement) -> "list[TolerationArgsDict]":
    return [
        {
            "key": toleration.key,
            "operator": toleration.operator,
            "value": toleration.value or None,
            "effect": toleration.effect,
        }
        for toleration in placement.tolerations
    ]


def _spread(placement: Placement, selector: "Labels") -> "list[TopologySpreadConstraintArgsDict]":
    return [
        {
            "max_skew": 1,
            "topology_key": key,
            "when_unsatisfiable": placement.when_unsatisfiable,
            "label_selector": {"match_labels": selector},
            # The pods that a rollout replaces do not count.
            "match_label_keys": ["pod-template-hash"],
        }
        for key in placement.spread_over
    ]
