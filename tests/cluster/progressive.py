"""Progressive releases in a stack with Prometheus."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.load import Load
from local.layout import NODE_IP
from tests.cluster.project import Project
from tests.cluster.tls_client import tls_load
from tests.cluster.traffic import steady_load

PROXY_SECONDS = 3
"""The proxy reads a changed route at most this late."""
FEW_PODS = {"minReplicas": 1, "maxReplicas": 4}
"""`autoscaling` of a service: the pods of the releases of several services fit on the node."""
RATE = 20
"""Requests per second to a service."""


@dataclass(frozen=True)
class Status:
    """Status of a Canary."""

    phase: str
    weight: int
    failed_checks: int


def small() -> dict[str, Any]:
    """Volume and resources of a server. A function, because stack files have no YAML aliases."""
    return {
        "volumeSize": "1Gi",
        "resources": {
            "requests": {"cpu": "20m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        },
    }


def add_prometheus(config: Any, stack: str) -> None:
    """Add the servers that the gates need to the configuration of a stack."""
    config["slipway:observability"] = {
        "mode": "bundled",
        "nodeNamespace": f"{stack}-node",
        "metrics": {"scrapeIntervalSeconds": 5, **small()},
        "logs": small(),
        "traces": {**small(), "volumeSize": "5Gi", "retentionDays": 1},
        "grafana": {"enabled": False},
    }
    config["slipway:network"] = {
        "monitoringNamespace": f"{stack}-monitoring",
        "nodeCIDRs": [f"{NODE_IP}/32"],
    }


@contextmanager
def services(project: Project) -> Iterator[Mapping[str, Any]]:
    """Edit the services of the stack."""
    with project.config() as config:
        yield config["slipway:services"]


def host(project: Project, service: str) -> str:
    """Host name of a service."""
    return f"{service}.{project.stack}.localhost"


def status(project: Project, service: str) -> Status:
    """Status of the Canary of a service."""
    text = project.kubectl("get", "canary", f"{service}-progressive", "--output", "json")
    found = json.loads(text).get("status", {})
    return Status(
        found.get("phase", ""), found.get("canaryWeight", 0), found.get("failedChecks", 0)
    )


@contextmanager
def loads(
    project: Project, names: Iterable[str], rate: int = RATE, authority: Path | None = None
) -> Iterator[Mapping[str, Load]]:
    """Steady load on each of the services, over HTTPS with the certificate file of a CA."""
    hosts = {name: host(project, name) for name in names}
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                tls_load(authority, one, rate) if authority else steady_load(one, rate)
            )
            for name, one in hosts.items()
        }


@contextmanager
def no_request_fails(
    project: Project, names: Iterable[str], rate: int = RATE, authority: Path | None = None
) -> Iterator[None]:
    """Send steady load to each of the services, of which no request may fail."""
    with loads(project, names, rate, authority) as sent:
        yield
    for service, load in sent.items():
        print(f"{service}: {load.statuses.total()} requests, {len(load.failures)} failures")
        assert load.failures == [], service
        assert sum(load.versions.values()) > rate, service
