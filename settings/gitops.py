"""Settings that ``delivery.mode: gitops`` does not allow."""

from collections.abc import Iterator, Mapping

from pydantic import SecretStr

from settings.delivery import DeliverySettings
from settings.errors import FieldError
from settings.observability import GrafanaSettings, ObservabilitySettings
from settings.secret import ENCRYPTED
from settings.secret_files import SecretEntry
from settings.section import Section
from settings.service import Service

_NOT_RENDERED = ("notifications", "build")
"""Sections whose secrets only commands use."""
_EXTERNAL = "external: manifests have no secret values"


def gitops_errors(
    stack: Section, delivery: DeliverySettings, services: Mapping[str, Service]
) -> Iterator[FieldError]:
    """Errors of settings whose manifests have a secret value, or that the engine cannot apply."""
    yield from _secret_errors(stack, "")
    for name, service in services.items():
        job = service.release.before_start
        if job and delivery.engine == "flux":
            allowed = "null, or delivery.engine argocd: Flux does not wait for the Job"
            key = f"services.{name}.release.beforeStart"
            yield FieldError(key, job.model_dump(by_alias=True), allowed)


def _secret_errors(value: object, key: str) -> Iterator[FieldError]:
    """An error for each value below ``key`` that would be in a Secret."""
    match value:
        case SecretEntry(external=None):
            given = value.model_dump(by_alias=True, exclude_unset=True, exclude={"value"})
            yield FieldError(key, given or ENCRYPTED, _EXTERNAL)
        case SecretStr():
            yield FieldError(key, ENCRYPTED, f"no value here, and {_alternative(key)}")
        case ObservabilitySettings(mode="operator" | "off"):
            return  # it has no Secrets
        case GrafanaSettings(enabled=True):
            allowed = "false: its password is generated, and manifests have no secret values"
            yield FieldError(f"{key}.enabled", True, allowed)
        case Section():
            for name, field in type(value).model_fields.items():
                if field.alias not in _NOT_RENDERED:
                    inner = f"{key}.{field.alias}".removeprefix(".")
                    yield from _secret_errors(getattr(value, name), inner)
        case dict():
            for name, inner in value.items():
                yield from _secret_errors(inner, f"{key}.{name}")
        case list() | tuple():
            for number, inner in enumerate(value):
                yield from _secret_errors(inner, f"{key}[{number}]")


def _alternative(key: str) -> str:
    """Alternative to an encrypted value, for an error message."""
    section, _, rest = key.partition(".")
    if section == "registry":
        return "nodes that can pull from the registry"
    if section == "services" and ".env." in f".{rest}":
        return "secrets with as: env and external, or secretKeyRef"
    return 'observability.mode "operator" or "off"'
