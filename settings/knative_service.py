"""Settings that ``workload.kind: knative`` does not allow."""

from collections.abc import Iterator, Mapping
from typing import get_args

from settings.errors import FieldError
from settings.knative import REVISION_HASH_LENGTH, KnativeSettings
from settings.ports import HTTP
from settings.release import Track
from settings.routing import is_wildcard
from settings.section import Section
from settings.service import Service

_UNPRIVILEGED_PORT = 1024
_RESERVED_PORTS = (8008, 8012, 8013, 8022, 9090, 9091)
"""Ports of ``queue-proxy``."""
_MAX_TIMEOUT_SECONDS = 600
"""``max-revision-timeout-seconds`` of Knative's default configuration."""
_RESERVED_VARIABLES = ("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION")
_IN_KNATIVE = 'with workload.kind "knative"'
_MAX_OBJECT_NAME = 63
"""Length of an object's name. Knative replaces a part of a longer one by a hash."""
_MAX_SERVICE_NAME = _MAX_OBJECT_NAME - max(
    len(f"-{track}-{'0' * REVISION_HASH_LENGTH}-deployment") for track in get_args(Track)
)
"""Length of a service's name, with which the names of its revisions' Deployments begin."""


def knative_name_errors(service: Service) -> Iterator[FieldError]:
    """Yield an error, with its whole key, for a name that is too long."""
    if service.is_knative and len(service.name) > _MAX_SERVICE_NAME:
        allowed = f"at most {_MAX_SERVICE_NAME} characters {_IN_KNATIVE}"
        yield FieldError("services", service.name, allowed)


def knative_errors(service: Service) -> Iterator[FieldError]:
    """Yield an error for each key that does not apply to the service's kind of workload."""
    pods = service.workload
    yield from _kind_errors(service)
    if pods.kind == "deployment":
        if pods.knative != KnativeSettings():
            allowed = '"knative", or remove workload.knative'
            yield FieldError("workload.kind", pods.kind, allowed)
        return
    scale = "workload.knative.minScale and maxScale"
    yield from _given(service.autoscaling, "autoscaling", f"{scale}, metric and target")
    yield from _given(
        service.pod_disruption_budget, "podDisruptionBudget", "workload.knative.minScale"
    )
    ready = "workload.knative.initialScale pods are ready"
    switch = f"none: a new version gets requests when {ready}"
    yield from _given(pods.rollout, "workload.rollout", switch, kept=("progress_deadline_seconds",))
    drained = "routing.requestTimeoutSeconds: queue-proxy ends the requests of a pod"
    for name, allowed in (
        ("replicas", scale),
        ("termination_grace_period_seconds", drained),
        ("pre_stop_sleep_seconds", drained),
        ("edge", "none: Knative's controllers activate the pods"),
    ):
        if name in pods.model_fields_set and getattr(pods, name) is not None:
            key = type(pods).model_fields[name].alias
            yield FieldError(f"workload.{key}", _plain(getattr(pods, name)), allowed)
    if service.release.strategy not in ("rolling", "canary"):
        allowed = f'"rolling" or "canary" {_IN_KNATIVE}'
        yield FieldError("release.strategy", service.release.strategy, allowed)
    yield from _pod_errors(service)
    yield from _routing_errors(service)


def _kind_errors(service: Service) -> Iterator[FieldError]:
    """Yield an error for another kind of the version that is stable during a release."""
    settings, kind = service.release.stable.settings, service.workload.kind
    if settings is None:
        return
    pods = settings.get("workload")
    other = pods.get("kind", "deployment") if isinstance(pods, Mapping) else "deployment"
    if other != kind:
        allowed = f'"{kind}", or change workload.kind when no release is in progress'
        yield FieldError("release.stable.settings.workload.kind", other, allowed)


def _pod_errors(service: Service) -> Iterator[FieldError]:
    """Yield an error for each key whose field Knative does not have in a pod."""
    if set(service.ports) != {HTTP}:
        yield FieldError("ports", service.ports, f"one port, http, {_IN_KNATIVE}")
    for key, port in (
        (f"ports.{HTTP}", service.ports.get(HTTP)),
        ("pprofPort", service.pprof_port),
    ):
        if port and (port < _UNPRIVILEGED_PORT or port in _RESERVED_PORTS):
            reserved = ", ".join(map(str, _RESERVED_PORTS))
            least = f"a port of at least {_UNPRIVILEGED_PORT}"
            yield FieldError(key, port, f"{least}, and none of queue-proxy's: {reserved}")
    if service.sidecars:
        names = [one.name for one in service.sidecars]
        yield FieldError("sidecars", names, f"none {_IN_KNATIVE}, or initContainers")
    if service.service_account.automount_service_account_token:
        allowed = f"false {_IN_KNATIVE}"
        yield FieldError("serviceAccount.automountServiceAccountToken", True, allowed)
    yield from _variable_errors(service)
    for name, volume in service.volumes.items():
        if (volume.secret or volume.config_map) and not volume.read_only:
            yield FieldError(f"volumes.{name}.readOnly", False, f"true {_IN_KNATIVE}")
    for name, secret in service.secrets.items():
        if secret.external and secret.effect == "restart":
            allowed = '"none" or "release": Reloader restarts Deployments'
            yield FieldError(f"secrets.{name}.onChange", "restart", allowed)
    if service.peers.from_:
        allowed = "none: requests inside the cluster pass Knative's gateway too"
        yield FieldError("peers.from", [_plain(one) for one in service.peers.from_], allowed)


def _variable_errors(service: Service) -> Iterator[FieldError]:
    """Yield an error for each variable that Knative sets."""
    for name in sorted(service.env.keys() & {*_RESERVED_VARIABLES}):
        yield FieldError(f"env.{name}", "…", "another name: Knative sets this variable")
    for name, secret in service.secrets.items():
        if secret.variable in _RESERVED_VARIABLES:
            allowed = "another variable: Knative sets this one"
            yield FieldError(f"secrets.{name}.variable", secret.variable, allowed)


def _routing_errors(service: Service) -> Iterator[FieldError]:
    """Yield an error for each key that Knative's networking layer has no use for."""
    routing = service.routing
    if service.slo and service.slo.source == "proxy":
        allowed = '"service" or "queries": the gateway of Knative is not known'
        yield FieldError("slo.source", "proxy", allowed)
    if routing is None:
        return
    by_layer = "none: Knative's networking layer routes the requests"
    for name, allowed in (
        ("backend", by_layer),
        ("ingress", by_layer),
        ("istio", by_layer),
        ("gateway", by_layer),
        ("additional_ports", "one port: Knative has no others"),
        ("canary_override", "the host of the tag canary"),
        ("dns", "the annotations of Knative's gateway"),
        ("max_body_size", "the setting of Knative's gateway"),
        ("tls", "the certificates of Knative"),
    ):
        if name in routing.model_fields_set and getattr(routing, name):
            key = type(routing).model_fields[name].alias
            yield FieldError(f"routing.{key}", _plain(getattr(routing, name)), allowed)
    if wildcards := [*filter(is_wildcard, routing.hosts)]:
        yield FieldError(
            "routing.hosts", wildcards, "hosts without *: a DomainMapping has one host"
        )
    if routing.paths != ("/",):
        yield FieldError("routing.paths", routing.paths, f'["/"] {_IN_KNATIVE}')
    timeout = routing.request_timeout_seconds
    if timeout and timeout > _MAX_TIMEOUT_SECONDS:
        allowed = f"at most {_MAX_TIMEOUT_SECONDS} {_IN_KNATIVE}"
        yield FieldError("routing.requestTimeoutSeconds", timeout, allowed)


def _given(
    section: Section, key: str, allowed: str, kept: tuple[str, ...] = ()
) -> Iterator[FieldError]:
    """Yield an error for each key of a section that the stack file has."""
    for name in sorted(section.model_fields_set - {*kept}):
        alias = type(section).model_fields[name].alias
        yield FieldError(f"{key}.{alias}", _plain(getattr(section, name)), allowed)


def _plain(value: object) -> object:
    if isinstance(value, Section):
        return value.model_dump(by_alias=True, exclude_unset=True)
    return dict(value) if isinstance(value, Mapping) else value
