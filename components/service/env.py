"""Environment variables of a service's containers."""

from typing import TYPE_CHECKING

from components.container import go_environment
from components.labels import Identity
from components.observability.trace_receiver import TraceReceiver
from components.service.credentials import CredentialNames
from settings import Env, EnvFrom, EnvFromSource, EnvSource, Service

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import (
        EnvFromSourceArgsDict,
        EnvVarArgsDict,
        EnvVarSourceArgsDict,
    )


def encrypted_values(env: Env, prefix: str = "") -> dict[str, str]:
    """Return the encrypted values of ``env``, by their key in the service's Secret."""
    return {
        f"{prefix}{name}": value.secret.get_secret_value()
        for name, value in env.items()
        if isinstance(value, EnvSource) and value.secret
    }


def environment(env: Env, secret: str, prefix: str = "") -> "list[EnvVarArgsDict]":
    """Return ``env`` of a container; ``secret`` has the encrypted values, with ``prefix``."""
    return [
        {"name": name, "value": value}
        if isinstance(value, str)
        else {"name": name, "value_from": _source(value, secret, f"{prefix}{name}")}
        for name, value in env.items()
    ]


def _source(value: EnvSource, secret: str, key: str) -> "EnvVarSourceArgsDict":
    if value.field_ref:
        return {"field_ref": {"field_path": value.field_ref.field_path}}
    if ref := value.config_map_key_ref:
        optional = ref.optional or None
        return {"config_map_key_ref": {"name": ref.name, "key": ref.key, "optional": optional}}
    if ref := value.secret_key_ref:
        optional = ref.optional or None
        return {"secret_key_ref": {"name": ref.name, "key": ref.key, "optional": optional}}
    return {"secret_key_ref": {"name": secret, "key": key}}


def environment_from(sources: EnvFrom) -> "list[EnvFromSourceArgsDict] | None":
    """Return ``envFrom`` of a container. ``None``: no source."""
    return [_from_source(source) for source in sources] or None


def _from_source(source: EnvFromSource) -> "EnvFromSourceArgsDict":
    prefix = source.prefix or None
    if ref := source.secret_ref:
        optional = ref.optional or None
        return {"prefix": prefix, "secret_ref": {"name": ref.name, "optional": optional}}
    ref = source.config_map_ref
    assert ref  # noqa: S101  # one of both is set
    optional = ref.optional or None
    return {"prefix": prefix, "config_map_ref": {"name": ref.name, "optional": optional}}


def service_environment(
    identity: Identity,
    service: Service,
    credentials: CredentialNames,
    traces: TraceReceiver | None,
) -> "list[EnvVarArgsDict]":
    """Return ``env`` of the service's container, after the variables that it does not override."""
    standard: list[EnvVarArgsDict] = [
        {"name": "OTEL_SERVICE_NAME", "value": identity.name},
        {"name": "TRACK", "value": identity.track or "stable"},
        {"name": "POD_NAME", "value_from": {"field_ref": {"field_path": "metadata.name"}}},
        {
            "name": "POD_NAMESPACE",
            "value_from": {"field_ref": {"field_path": "metadata.namespace"}},
        },
        {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": _resource_attributes(identity)},
        *_trace_exporter(service, traces),
        *go_environment(service.workload.resources.limits),
    ]
    secrets: list[EnvVarArgsDict] = [
        {
            "name": entry.variable,
            "value_from": {"secret_key_ref": {"name": credentials.secrets[name], "key": name}},
        }
        for name, entry in service.secrets.items()
        if entry.variable
    ]
    own = [*environment(service.env, credentials.environment), *secrets]
    names = {one["name"] for one in own}
    return [*(one for one in standard if one["name"] not in names), *own]


def _resource_attributes(identity: Identity) -> str:
    attributes = {
        "service.namespace": identity.instance,
        "service.version": identity.version,
        "deployment.track": identity.track,
        "k8s.namespace.name": identity.instance,
        # Kubernetes replaces a variable that is defined before.
        "k8s.pod.name": "$(POD_NAME)",
    }
    return ",".join(f"{key}={value}" for key, value in attributes.items() if value)


def _trace_exporter(service: Service, traces: TraceReceiver | None) -> "list[EnvVarArgsDict]":
    if traces is None or not service.tracing.enabled:
        return [{"name": "OTEL_TRACES_EXPORTER", "value": "none"}]
    return [
        {"name": "OTEL_TRACES_EXPORTER", "value": "otlp"},
        {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": traces.url},
        {"name": "OTEL_EXPORTER_OTLP_PROTOCOL", "value": "http/protobuf"},
        {"name": "OTEL_TRACES_SAMPLER", "value": "parentbased_traceidratio"},
        {"name": "OTEL_TRACES_SAMPLER_ARG", "value": f"{service.tracing.sample_ratio:g}"},
    ]
