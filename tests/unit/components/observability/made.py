"""Servers of a stack under the SDK's mocks, and what is in their files."""

from typing import Any

import yaml

from components.observability.server import Server
from settings import Settings
from settings.secret import DECRYPTED
from tests.unit.harness import Registry, run
from tests.unit.stacks import SMALLEST, changed


def made(server: type[Server], **observability: Any) -> Registry:
    """The server in a bundled stack with these settings."""
    stack = bundled(observability=observability)
    return run(lambda: server("it", {"settings": stack}))


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
