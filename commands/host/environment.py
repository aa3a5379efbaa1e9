"""Environment variables of an instance: those of a pod."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from commands.host.deployed_track import DeployedTrack, Instance
from components.observability.trace_receiver import TraceReceiver
from components.service.credentials import CredentialNames
from components.service.env import service_environment
from settings import parse_quantity

UNRESOLVED_FIELDS = ("spec.", "status.", "metadata.uid", "metadata.annotations")
"""Beginnings of the paths of a pod's fields that an instance does not have."""


@dataclass(frozen=True)
class Environment:
    """Variables with a value, and names of those whose values the operator supplies."""

    values: Mapping[str, str]
    secrets: tuple[str, ...]

    def command(self, track: DeployedTrack) -> tuple[str, ...]:
        """Command line of the service, in which Kubernetes replaces variables too."""
        return tuple(expand(word, self.values) for word in track.command)

    @classmethod
    def of(cls, instance: Instance) -> "Environment":
        """Variables of an instance: those of the image, then those of the service."""
        values = dict(instance.track.process.environment or {})
        secrets: list[str] = []
        for variable in _pod_environment(instance.track):
            name, source = variable["name"], variable.get("value_from")
            if source and "secret_key_ref" in source:
                secrets.append(name)
                values.pop(name, None)
            else:
                text = _resolve(source, instance) if source else expand(variable["value"], values)
                values[name] = text
        return cls(values, tuple(secrets))


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` as Kubernetes does: unknown names stay, and ``$$`` is ``$``."""

    def replacement(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else values.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)", replacement, text)


def secret_variables(track: DeployedTrack) -> tuple[str, ...]:
    """Names of the variables whose values the operator supplies."""
    return tuple(
        one["name"]
        for one in _pod_environment(track)
        if "secret_key_ref" in (one.get("value_from") or {})
    )


def _pod_environment(track: DeployedTrack) -> Iterator[dict[str, Any]]:
    names = {name: name for name in track.service.secrets}
    url = track.host.otlp_endpoint
    traces = TraceReceiver(url.rstrip("/"), ()) if url else None
    identity, credentials = track.identity, CredentialNames(secrets=names)
    for variable in service_environment(identity, track.service, credentials, traces):
        yield {**variable}


def _resolve(source: Mapping[str, Any], instance: Instance) -> str:
    if "resource_field_ref" in source:
        return str(ceil(parse_quantity(instance.track.service.workload.resources.limits.cpu)))
    path = source["field_ref"]["field_path"]
    match path.partition("['"):
        case ("metadata.labels", _, label):
            return instance.track.identity.labels.get(label.removesuffix("']"), "")
        case ("metadata.name", _, _):
            return instance.pod_name
        case ("metadata.namespace", _, _):
            return instance.track.namespace
    raise AssertionError(path)  # refused before
