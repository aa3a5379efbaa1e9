"""Container fields that the service and the observability servers have in common."""

from decimal import Decimal
from typing import TYPE_CHECKING

from settings import ResourceList, ResourceRequirements, format_mebibytes, parse_quantity

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
    resources: ResourceRequirements, storage: Decimal
) -> "ResourceRequirementsArgsDict":
    """Return requests and limits of a container that writes ``storage`` bytes of files."""

    def with_storage(resource_list: ResourceList, storage: Decimal) -> dict[str, str]:
        return {
            "cpu": resource_list.cpu,
            "memory": resource_list.memory,
            "ephemeral-storage": format_mebibytes(storage),
        }

    return {
        "requests": with_storage(resources.requests, storage),
        "limits": with_storage(resources.limits, storage + _LOG_BYTES),
    }


def go_environment(limits: ResourceList) -> "list[EnvVarArgsDict]":
    """Return environment variables that keep the Go runtime within the container's limits."""
    memory = int(parse_quantity(limits.memory)) * _GOMEMLIMIT_PERCENT // 100
    return [
        # The kubelet rounds up to whole cores.
        {"name": "GOMAXPROCS", "value_from": {"resource_field_ref": {"resource": "limits.cpu"}}},
        {"name": "GOMEMLIMIT", "value": f"{memory}B"},
    ]
