"""Pod spec: security context, scheduling, resources and probes."""

from typing import TYPE_CHECKING

import pulumi

from components.container import SECURITY_CONTEXT, go_environment, resource_requirements
from components.labels import Identity, Labels
from components.prune import omit_if_zero
from components.service.config_file import CONFIG_FILE, TOKEN_FILE
from components.service.credentials import CredentialNames
from settings import Probe, ResourceList, Scheduling, Service, parse_quantity

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import (
        AffinityArgsDict,
        ContainerArgsDict,
        EnvVarArgsDict,
        NodeSelectorRequirementArgsDict,
        PodSpecArgsDict,
        ProbeArgsDict,
        TolerationArgsDict,
        TopologySpreadConstraintArgsDict,
    )

_USER = 65532
"""User and group ID of ``nonroot`` in distroless images."""


def pod_spec(
    identity: Identity,
    image: pulumi.Input[str],
    service: Service,
    credentials: CredentialNames,
) -> "PodSpecArgsDict":
    """Return the pod spec of one track; it satisfies Pod Security ``restricted``.

    The service account and the ConfigMap have the name of the track.
    """
    pods = service.workload
    scheduling = pods.scheduling
    return {
        "service_account_name": identity.object_name,
        "automount_service_account_token": False,
        "enable_service_links": False,
        "image_pull_secrets": [{"name": name} for name in credentials.pull] or None,
        "security_context": {
            "run_as_non_root": True,
            "run_as_user": _USER,
            "run_as_group": _USER,
            "fs_group": _USER,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
        "termination_grace_period_seconds": pods.termination_grace_period_seconds,
        "affinity": _affinity(scheduling),
        "topology_spread_constraints": _topology_spread(scheduling, identity.selector),
        "tolerations": _tolerations(scheduling) or None,
        "containers": [_container(identity, image, service)],
        "volumes": [
            {"name": "config", "config_map": {"name": identity.object_name}},
            {
                "name": "token",
                "secret": {"secret_name": credentials.token, "default_mode": 0o440},
            },
            {"name": "tmp", "empty_dir": {"size_limit": pods.ephemeral_storage}},
        ],
    }


def _container(
    identity: Identity, image: pulumi.Input[str], service: Service
) -> "ContainerArgsDict":
    pods = service.workload
    return {
        "name": service.name,
        "image": image,
        "image_pull_policy": "IfNotPresent",
        "ports": [
            {"name": "http", "container_port": service.port, "protocol": "TCP"},
            {"name": "admin", "container_port": service.admin_port, "protocol": "TCP"},
        ],
        "env": _environment(identity, pods.resources.limits),
        "resources": resource_requirements(pods.resources, parse_quantity(pods.ephemeral_storage)),
        "startup_probe": _probe(pods.probes.startup),
        "liveness_probe": _probe(pods.probes.liveness),
        "readiness_probe": _probe(pods.probes.readiness),
        "security_context": SECURITY_CONTEXT,
        "volume_mounts": [
            {"name": "config", "mount_path": str(CONFIG_FILE.parent), "read_only": True},
            {"name": "token", "mount_path": str(TOKEN_FILE.parent), "read_only": True},
            {"name": "tmp", "mount_path": "/tmp"},  # noqa: S108
        ],
    }


def _environment(identity: Identity, limits: ResourceList) -> "list[EnvVarArgsDict]":
    return [
        # Labels of metrics and log lines.
        {"name": "OTEL_SERVICE_NAME", "value": identity.name},
        {"name": "TRACK", "value": identity.track or "stable"},
        {"name": "POD_NAME", "value_from": {"field_ref": {"field_path": "metadata.name"}}},
        {
            "name": "POD_NAMESPACE",
            "value_from": {"field_ref": {"field_path": "metadata.namespace"}},
        },
        *go_environment(limits),
    ]


def _probe(probe: Probe) -> "ProbeArgsDict":
    return {
        "http_get": {"path": probe.path, "port": "http", "scheme": "HTTP"},
        "initial_delay_seconds": omit_if_zero(probe.initial_delay_seconds),
        "period_seconds": probe.period_seconds,
        "timeout_seconds": probe.timeout_seconds,
        "failure_threshold": probe.failure_threshold,
    }


def _affinity(scheduling: Scheduling) -> "AffinityArgsDict":
    required = _requirements(scheduling.node_affinity.required)
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


def _tolerations(scheduling: Scheduling) -> "list[TolerationArgsDict]":
    return [
        {
            "key": toleration.key,
            "operator": toleration.operator,
            "value": toleration.value or None,
            "effect": toleration.effect,
        }
        for toleration in scheduling.tolerations
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
