"""What every container has, the service's and a server's: hardening, bounds, Go's share of them."""

from decimal import Decimal
from typing import TYPE_CHECKING

from schemas.compute import Compute
from schemas.values import amount, mebibytes

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import (
        EnvVarArgsDict,
        ResourceRequirementsArgsDict,
        SecurityContextArgsDict,
    )

HARDENED: "SecurityContextArgsDict" = {
    "allow_privilege_escalation": False,
    "capabilities": {"drop": ["ALL"]},
    "read_only_root_filesystem": True,
}
"""What Pod Security ``restricted`` asks of a container, and a root that cannot be written to."""
_MEMORY_SHARE = 90
"""Percent of the memory limit at which Go's collector works harder, before the kernel kills."""
_LOG_BYTES = 64 * 2**20
"""What a container's log may take: the kubelet keeps five files of 10 MiB, and is a little late."""


def resource_requirements(
    requests: Compute, limits: Compute, storage: Decimal
) -> "ResourceRequirementsArgsDict":
    """What a container reserves and may use, with ``storage`` bytes of temporary files."""

    def of(compute: Compute, storage: Decimal) -> dict[str, str]:
        return {
            "cpu": compute.cpu,
            "memory": compute.memory,
            "ephemeral-storage": mebibytes(storage),
        }

    return {"requests": of(requests, storage), "limits": of(limits, storage + _LOG_BYTES)}


def go_environment(limits: Compute) -> "list[EnvVarArgsDict]":
    """The variables by which Go keeps within the container's limits."""
    memory = int(amount(limits.memory)) * _MEMORY_SHARE // 100
    return [
        # Whole cores, rounded up.
        {"name": "GOMAXPROCS", "value_from": {"resource_field_ref": {"resource": "limits.cpu"}}},
        {"name": "GOMEMLIMIT", "value": f"{memory}B"},
    ]
