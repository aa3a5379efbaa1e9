"""Deploys servers of a stack with the SDK's mocks and reads their configuration."""

from typing import Any

import yaml

from components.observability.args import ObservabilityArgs
from components.observability.monitored_service import MonitoredService
from components.observability.server import Server
from settings import Settings
from settings.loader import validate
from settings.secret import DECRYPTED
from tests.unit.harness import Registry, run
from tests.unit.stacks import changed, sections


def deploy(server: type[Server], **observability: Any) -> Registry:
    """Deploy the server in a bundled stack with these settings of ``observability``."""
    args = args_of(bundled(observability=observability))
    return run(lambda: server("it", args))


def bundled(**changes: Any) -> Settings:
    """Return the smallest bundled stack with changes and decrypted secrets."""
    bundled_stack = changed({"observability": {"mode": "bundled"}}, changes)
    return validate("Pulumi.test.yaml", sections(**bundled_stack), DECRYPTED)


def args_of(stack: Settings) -> ObservabilityArgs:
    """Return the arguments of all components of observability."""
    return {
        "settings": stack.observability,
        "network": stack.network,
        "namespace": stack.namespace.name,
        "services": [
            MonitoredService.of(
                one,
                stack.namespace.name,
                stack.observability,
                has_sidecar=stack.mesh.istio is not None,
            )
            for one in stack.services.values()
        ],
    }


def config_file(registry: Registry, key: str) -> dict[str, Any]:
    """Return a parsed configuration file."""
    return yaml.safe_load(registry.one("ConfigMap")["data"][key])


def container(registry: Registry, kind: str) -> dict[str, Any]:
    """Return the only container of the workload."""
    (only,) = registry.one(kind)["spec"]["template"]["spec"]["containers"]
    return only
