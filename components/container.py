"""Container fields that the service and the observability servers have in common."""

from decimal import Decimal
from typing import TYPE_CHECKING

from settings import ResourceList, format_mebibytes, parse_quantity

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import (
        EnvVarArgsDict,
        ResourceRequirementsArgsDict,
        SecurityContextArgsDict,
    )

SECURITY_CONTEXT: "SecurityContextArgsDict" = {
    "allow_privilege_escalation": False,
    "capabilities": {"drop": ["ALL"]},
    "read_only_root_filesystem": True,
}
"""Container part of Pod Security ``restricted``, with a read-only root filesystem."""
_GOMEMLIMIT_PERCENT = 90
"""Percentage of the memory limit at which Go collects garbage more often."""
_LOG_BYTES = 64 * 2**20
"""Ephemeral storage for logs: the kubelet keeps five files of 10 MiB and rotates them late."""


def resource_requirements(
    requests: ResourceList, limits: ResourceList, storage: Decimal
) -> "ResourceRequirementsArgsDict":
    """Resource requests and limits of a container that writes ``storage`` bytes of files."""

    def resources(compute: ResourceList, storage: Decimal) -> dict[str, str]:
        return {
            "cpu": compute.cpu,
            "memory": compute.memory,
            "ephemeral-storage": format_mebibytes(storage),
        }

    return {
        "requests": resources(requests, storage),
        "limits": resources(limits, storage + _LOG_BYTES),
    }


def go_environment(limits: ResourceList) -> "list[EnvVarArgsDict]":
    """Environment variables that keep the Go runtime within the container's limits."""
    memory = int(parse_quantity(limits.memory)) * _GOMEMLIMIT_PERCENT // 100
    return [
        # The kubelet rounds up to whole cores.
        {"name": "GOMAXPROCS", "value_from": {"resource_field_ref": {"resource": "limits.cpu"}}},
        {"name": "GOMEMLIMIT", "value": f"{memory}B"},
    ]
