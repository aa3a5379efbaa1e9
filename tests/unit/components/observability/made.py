"""Servers of a stack under the SDK's mocks, and what is in their files."""

from typing import Any

import yaml

from components.observability.observability import ObservabilityArgs
from components.observability.server import Server
from components.observability.slo import Slo
from settings import Settings
from settings.secret import DECRYPTED
from tests.unit.harness import Registry, run
from tests.unit.stacks import SMALLEST, changed


def made(server: type[Server], **observability: Any) -> Registry:
    """The server in a bundled stack with these settings."""
    args = server_args(bundled(observability=observability))
    return run(lambda: server("it", args))


def server_args(stack: Settings) -> Any:
    """Return the arguments of all servers together."""
    observability, network = stack.observability, stack.network
    return {
        "monitoring_namespace": network.monitoring_namespace,
        "node_namespace": observability.node_namespace,
        "service_namespace": stack.namespace.name,
        "proxy_namespace": network.proxy_namespace,
        "service": stack.service,
        "slo": slo_of(stack),
        "runbook_base_url": observability.runbook_base_url,
        "alerts": observability.alerts,
        "grafana": observability.grafana,
        "logs": observability.logs,
        "metrics": observability.metrics,
        "traces": observability.traces,
    }


def observability_args(stack: Settings) -> ObservabilityArgs:
    """Return the arguments of :class:`Observability` for a stack."""
    return {
        "settings": stack.observability,
        "service": stack.service,
        "slo": slo_of(stack),
        "network": stack.network,
    }


def slo_of(stack: Settings) -> Slo:
    """Return the service level objective of a stack."""
    return Slo(stack.service.name, stack.namespace.name, stack.slo)


def bundled(**changes: Any) -> Settings:
    """The smallest bundled stack with changes; its secrets are there as the engine gives them."""
    sections = changed(changed(SMALLEST, {"observability": {"mode": "bundled"}}), changes)
    return Settings.model_validate(sections, by_name=False, by_alias=True, context=DECRYPTED)


def config(registry: Registry, key: str) -> dict[str, Any]:
    """A configuration file."""
    return yaml.safe_load(registry.one("ConfigMap")["data"][key])


def container(registry: Registry, kind: str) -> dict[str, Any]:
    """Its container."""
    (only,) = registry.one(kind)["spec"]["template"]["spec"]["containers"]
    return only
