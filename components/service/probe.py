"""Probes of a container."""

from typing import TYPE_CHECKING, TypedDict

from components.prune import omit_if_zero
from settings import (
    ExecAction,
    GrpcAction,
    HttpGetAction,
    Ports,
    Probe,
    Probes,
    TcpSocketAction,
)

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import ProbeArgsDict


class ContainerProbes(TypedDict):
    """Fields of a container."""

    startup_probe: "ProbeArgsDict | None"
    liveness_probe: "ProbeArgsDict | None"
    readiness_probe: "ProbeArgsDict | None"


def container_probes(probes: Probes, ports: Ports) -> ContainerProbes:
    """Return the probes of a container with ``ports``."""
    return {
        "startup_probe": _probe(probes.startup, ports),
        "liveness_probe": _probe(probes.liveness, ports),
        "readiness_probe": _probe(probes.readiness, ports),
    }


def knative_probes(probes: Probes, ports: Ports) -> ContainerProbes:
    """Return the probes of a Knative revision, whose only port has another name.

    Sets the defaults that Knative's webhook adds on creation: an update without them is refused.
    """
    (number,) = ports.values()
    own = container_probes(probes, ports)
    readiness = _of_port(own["readiness_probe"], number) or {"tcp_socket": {"port": number}}
    return {
        "startup_probe": _of_port(own["startup_probe"], number),
        "liveness_probe": _of_port(own["liveness_probe"], number),
        "readiness_probe": {**readiness, "success_threshold": 1},
    }


def _of_port(probe: "ProbeArgsDict | None", number: int) -> "ProbeArgsDict | None":
    match probe:
        case {"http_get": {"path": path, "scheme": scheme}}:
            return {**probe, "http_get": {"path": path, "port": number, "scheme": scheme}}
        case {"grpc": {"service": service}}:
            return {**probe, "grpc": {"port": number, "service": service or ""}}
        case {"tcp_socket": _}:
            return {**probe, "tcp_socket": {"port": number}}
    return probe


def _probe(probe: Probe | None, ports: Ports) -> "ProbeArgsDict | None":
    action = probe.action(ports) if probe else None
    if probe is None or action is None:
        return None
    timings: ProbeArgsDict = {
        "initial_delay_seconds": omit_if_zero(probe.initial_delay_seconds),
        "period_seconds": probe.period_seconds,
        "timeout_seconds": probe.timeout_seconds,
        "failure_threshold": probe.failure_threshold,
    }
    match action:
        case HttpGetAction(path=path, port=port, scheme=scheme):
            return {"http_get": {"path": path, "port": port, "scheme": scheme}, **timings}
        case GrpcAction(port=port, service=service):
            # The only action that takes no port name.
            return {"grpc": {"port": ports[port], "service": service or None}, **timings}
        case TcpSocketAction(port=port):
            return {"tcp_socket": {"port": port}, **timings}
        case ExecAction(command=command):
            return {"exec_": {"command": [*command]}, **timings}
