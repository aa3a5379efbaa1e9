"""Pods of a Deployment, by its status."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pods:
    """Pods of a Deployment."""

    ready: int = 0
    desired: int = 0
    is_rolled_out: bool = False
    """True if all pods are ready and have the current template."""

    @classmethod
    def of(cls, deployment: Mapping[str, Any]) -> "Pods":
        """Pods of a Deployment of the cluster. Empty: there is none."""
        if not deployment:
            return cls()
        spec, status = deployment["spec"], deployment.get("status") or {}
        desired, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
        generation = deployment["metadata"].get("generation", 0)
        is_observed = status.get("observedGeneration", 0) >= generation
        counts = (status.get("updatedReplicas", 0), ready, status.get("replicas", 0))
        return cls(ready, desired, is_observed and all(count == desired for count in counts))

    def __str__(self) -> str:
        return f"{self.ready}/{self.desired}"
