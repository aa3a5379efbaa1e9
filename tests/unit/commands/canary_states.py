"""States of Flagger's Canaries for tests."""

from collections.abc import Mapping
from typing import Any

from commands.flagger_canary import CanaryState
from tests.unit.stacks import DIGEST

NAME = "beacon-progressive"
ANALYSIS: dict[str, Any] = {"interval": "10s", "threshold": 3, "stepWeights": [10, 50]}


def deployment(
    version: str,
    *,
    name: str = NAME,
    ready: int = 2,
    desired: int = 2,
    env: str = "",
    config: str = NAME,
    digest: str = DIGEST,
) -> dict[str, Any]:
    """A Deployment; that of the primary has a name with ``-primary``."""
    suffix = "-primary" if name.endswith("-primary") else ""
    annotations = {"flagger-id": "1"} if suffix else {}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "generation": 1},
        "spec": {
            "replicas": desired,
            "template": {
                "metadata": {
                    "labels": {
                        "app.kubernetes.io/name": f"beacon{suffix}",
                        "app.kubernetes.io/version": version,
                    },
                    "annotations": {"prometheus.io/port": "8080", **annotations},
                },
                "spec": {
                    "containers": [
                        {
                            "name": "beacon",
                            "image": f"localhost:5000/slipway/beacon:{version}@{digest}",
                            "env": [{"name": "MODE", "value": env}],
                        }
                    ],
                    "volumes": [{"configMap": {"name": config}}],
                },
            },
        },
        "status": {
            "observedGeneration": 1,
            "replicas": desired,
            "updatedReplicas": desired,
            "readyReplicas": ready,
        },
    }


def canary(
    phase: str,
    weight: int = 0,
    *,
    failed: int = 0,
    since: str = "2026-01-01T00:00:00Z",
    analysis: Mapping[str, Any] = ANALYSIS,
    suspend: bool = False,
) -> dict[str, Any]:
    """A Canary in a phase that it has had since a time."""
    condition = {"lastUpdateTime": since, "message": f"it is {phase}", "reason": phase}
    return {
        "kind": "Canary",
        "metadata": {"name": NAME, "namespace": "beacon-test"},
        "spec": {
            "targetRef": {"name": NAME},
            "progressDeadlineSeconds": 60,
            "suspend": suspend,
            "analysis": dict(analysis),
        },
        "status": {
            "phase": phase,
            "canaryWeight": weight,
            "failedChecks": failed,
            "conditions": [condition],
        },
    }


def state(
    phase: str,
    weight: int = 0,
    *,
    version: str = "1.1.0",
    served: str = "1.0.0",
    primary_ready: int = 2,
    ready: int = 2,
    **options: Any,
) -> CanaryState:
    """A state with a new version and the one that serves."""
    return CanaryState(
        canary(phase, weight, **options),
        deployment(version, ready=ready),
        deployment(served, name=f"{NAME}-primary", config=f"{NAME}-primary", ready=primary_ready),
        {"config.json": "{}"},
        {"config.json": "{}"},
    )
