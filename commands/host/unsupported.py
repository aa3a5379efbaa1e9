"""Keys of a stack file that have no meaning on a host: refused, or not applied."""

from collections.abc import Iterator, Mapping
from itertools import chain

from commands.host.deployed_track import MAX_PORTS
from commands.host.environment import UNRESOLVED_FIELDS
from settings import PROJECT, EnvSource, ExecAction, Service, Settings
from settings.section import Section

_NOT_APPLIED: Mapping[str, str] = {
    "autoscaling": "there is no HorizontalPodAutoscaler: host.instances is the number of instances",
    "podDisruptionBudget": "hosts and instances are updated one after the other",
    "workload.kind": "an instance is a process",
    "workload.knative": "host.instances is the number of instances",
    "workload.replicas": "host.instances is the number of instances",
    "workload.rollout": "hosts and instances are updated one after the other",
    "workload.scheduling": "every host of host.hosts runs every service",
    "workload.edge": "every host of host.hosts runs every service",
    "serviceAccount": "there is no Kubernetes API",
    "pprofPort": "there is no `kubectl port-forward`",
    "peers.from": "NetworkPolicies: use the firewall of the host for the published ports",
    "peers.to": "NetworkPolicies: with a peer, connections to all addresses are allowed",
    "routing.backend": "nginx is the load balancer",
    "routing.ingress": "nginx is the load balancer",
    "routing.gateway": "nginx is the load balancer",
    "routing.istio": "nginx is the load balancer",
    "routing.dns": "there is no external-dns: create the records of the hosts",
    "routing.tls.mode": "there is no cert-manager: supply the certificate of each service",
    "routing.tls.existing": "there is no cert-manager: supply the certificate of each service",
    "routing.tls.durationDays": "there is no cert-manager",
    "routing.tls.renewBeforeDays": "there is no cert-manager",
    "release.progressive": "there is no Flagger",
    "release.blueGreen.keepWarmSeconds": "the instances of both colors run until the next update",
    "release.blueGreen.gateSeconds": "`make promote` needs a cluster",
    "drill": "`make drill` needs a cluster",
}
"""Reason for each key of a service."""
_SECTIONS: Mapping[str, str] = {
    "cluster": "there is no cluster",
    "delivery": "Ansible updates the hosts",
    "mesh": "there is no mesh: the instances are reached through nginx",
    "network": "there are no NetworkPolicies",
    "flagger": "there is no Flagger",
    "certManager": "there is no cert-manager: supply the certificate of each service",
    "externalSecrets": "there is no External Secrets: supply the value of each secret",
    "secretStores": "there is no External Secrets: supply the value of each secret",
    "namespace.resourceQuota": "there is no namespace: the name is a label of the metrics only",
    "namespace.limitRange": "there is no namespace: the name is a label of the metrics only",
    "observability": "the servers run elsewhere: prometheus/ is for the Prometheus of the stack",
    "notifications": "the commands of a release need a cluster",
    "registry.credentials": "log in on each host: skopeo login, or docker login",
}
"""Reason for each key of a stack."""


def not_applied(settings: Settings) -> Iterator[str]:
    """Yield a message for each given key that has no effect on a host."""
    for key, reason in _SECTIONS.items():
        if _is_given(settings, key):
            yield f"{PROJECT}:{key}: {reason}"
    for service in settings.services.values():
        for key, reason in _NOT_APPLIED.items():
            if _is_given(service, key):
                yield f"{PROJECT}:services.{service.name}.{key}: {reason}"
        prefix = f"{PROJECT}:services.{service.name}"
        if service.tracing.enabled and settings.host.otlp_endpoint is None:
            yield f"{prefix}.tracing: no traces are exported without host.otlpEndpoint"
        if service.probes.liveness and settings.host.runtime != "systemd":
            name = {"compose": "Docker", "supervisor": "Supervisor"}[settings.host.runtime]
            yield f"{prefix}.probes.liveness: {name} does not restart what fails a probe"
        for name, entry in service.secrets.items():
            source = next(
                key for key in ("value", "generate", "external", "sops") if getattr(entry, key)
            )
            reason = "no value is written: supply it in a file on each host"
            yield f"{prefix}.secrets.{name}.{source}: {reason}"


def refused(settings: Settings) -> Iterator[str]:
    """Yield an error for each key without which a service would not be what it is."""
    several = len(settings.services) > 1
    for service in settings.services.values():
        prefix = f"{PROJECT}:services.{service.name}"
        if several and service.name not in settings.host.first_ports:
            key = f"{PROJECT}:host.firstPorts.{service.name}"
            yield f"{key} is missing: use a port, 200 or more from those of the other services"
        for track in ("stable", "canary"):
            own = service.of_track(track)
            yield from (f"{prefix}.{error}" for error in _service_errors(own, settings))


def _service_errors(service: Service, settings: Settings) -> Iterator[str]:
    if service.release.strategy == "progressive":
        yield 'release.strategy is "progressive": use "rolling", "canary" or "blueGreen"'
    if service.release.before_start:
        yield "release.beforeStart is not possible: run the command before the update"
    for key, value in (
        ("initContainers", service.init_containers),
        ("sidecars", service.sidecars),
        ("envFrom", service.env_from),
    ):
        if value:
            yield f"{key} is not possible: an instance is one process, with variables of its own"
    for name, volume in service.volumes.items():
        if volume.empty_dir is None:
            yield f"volumes.{name} is not possible: use emptyDir, or a server for the data"
    yield from _port_errors(service)
    yield from _variable_errors(service)
    if settings.host.runtime == "supervisor":
        for name in _secret_variables(service):
            yield f"{name} is a variable: Supervisor cannot read it from a file, use a secret file"
        probes = {"startup": service.probes.startup, "readiness": service.probes.readiness}
        for name, probe in probes.items():
            if probe and isinstance(probe.action(service.ports), ExecAction):
                yield f"probes.{name}.exec is not possible with Supervisor: use another action"


def _port_errors(service: Service) -> Iterator[str]:
    routing = service.routing
    if routing and "_" in (header := routing.canary_override.header or ""):
        yield f'routing.canaryOverride.header is "{header}": nginx ignores names with an underscore'
    if len(service.ports) > MAX_PORTS:
        yield f"ports has {len(service.ports)} ports: use at most {MAX_PORTS}"
    for port, route in service.routes.items():
        if route.protocol != "http" and not service.tls.is_enabled:
            key = service.route_key(port)
            yield f'{key}.protocol is "{route.protocol}": nginx needs routing.tls for HTTP/2'


def _variable_errors(service: Service) -> Iterator[str]:
    for name, value in service.env.items():
        if not isinstance(value, EnvSource):
            continue
        path = value.field_ref.field_path if value.field_ref else ""
        if value.config_map_key_ref or path.startswith(UNRESOLVED_FIELDS):
            yield f"env.{name} is not possible: an instance has no ConfigMap, no node and no pod IP"


def _secret_variables(service: Service) -> Iterator[str]:
    own = (f"env.{name}" for name, one in service.env.items() if _is_secret(one))
    entries = (f"secrets.{name}" for name, one in service.secrets.items() if one.as_ == "env")
    yield from chain(own, entries)


def _is_secret(value: EnvSource | str) -> bool:
    return isinstance(value, EnvSource) and bool(value.secret or value.secret_key_ref)


def _is_given(section: Section, path: str) -> bool:
    """True if a key is in the stack file, or in the defaults."""
    key, _, rest = path.partition(".")
    fields = type(section).model_fields
    name = next(name for name, field in fields.items() if key in (name, field.alias))
    if name not in section.model_fields_set:
        return False
    value = getattr(section, name)
    return _is_given(value, rest) if rest and isinstance(value, Section) else not rest
