"""``probes`` of a service or a sidecar."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import FieldError
from settings.one_of import at_most_one_errors
from settings.ports import HTTP, PortName, Ports, default_port
from settings.section import Section
from settings.string_formats import UrlPath


class HttpGetAction(Section):
    """HTTP request. Status codes from 200 to 399 are a success."""

    path: UrlPath = "/"
    """Request path."""
    port: PortName = HTTP
    """Name of the port."""
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    """Scheme. The certificate of HTTPS is not verified."""


class GrpcAction(Section):
    """Request of the gRPC health checking protocol."""

    port: PortName = "grpc"
    """Name of the port."""
    service: Annotated[str, Field(max_length=253)] = ""
    """Service name in the request."""


class TcpSocketAction(Section):
    """TCP connection. It is a success if the port is open."""

    port: PortName = HTTP
    """Name of the port."""


class ExecAction(Section):
    """Command in the container. Exit code 0 is a success."""

    command: Annotated[
        tuple[Annotated[str, Field(max_length=4096)], ...],
        Field(strict=False, min_length=1, max_length=100),
    ]
    """Program and arguments. They are not passed to a shell."""


Action = HttpGetAction | GrpcAction | TcpSocketAction | ExecAction

_ACTIONS = ("http_get", "grpc", "tcp_socket", "exec")


class Probe(Section):
    """Probe of a container. Default: `tcpSocket` on the port `http`, or else on the first port by
    name."""

    http_get: HttpGetAction | None = None
    grpc: GrpcAction | None = None
    tcp_socket: TcpSocketAction | None = None
    exec: ExecAction | None = None
    initial_delay_seconds: Annotated[int, Field(ge=0, le=600)] = 0
    """Seconds from the start of the container to the first probe."""
    period_seconds: Annotated[int, Field(ge=1, le=300)] = 10
    """Seconds between probes."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 1
    """Seconds after which a probe without a response has failed."""
    failure_threshold: Annotated[int, Field(ge=1, le=100)] = 3
    """Number of consecutive failures after which the probe has failed."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from at_most_one_errors(self, _ACTIONS)

    def action(self, ports: Ports) -> Action | None:
        """Action of the probe in a container with ``ports``. ``None``: it has nothing to probe."""
        for name in _ACTIONS:
            if action := getattr(self, name):
                return action
        port = default_port(ports)
        return TcpSocketAction(port=port) if port else None


class StartupProbe(Probe):
    """Delays the other probes until the service has started: 60 s at most by default."""

    period_seconds: Annotated[int, Field(ge=1, le=300)] = 1
    """Seconds between probes."""
    failure_threshold: Annotated[int, Field(ge=1, le=100)] = 60
    """Number of consecutive failures after which the container is restarted."""


class LivenessProbe(Probe):
    """Restarts a container that does not respond."""

    initial_delay_seconds: Annotated[int, Field(ge=0, le=600)] = 15
    """Seconds from the start of the container to the first probe."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """Seconds after which a probe without a response has failed."""


class ReadinessProbe(Probe):
    """Removes a pod that is not ready from the Service's endpoints."""

    period_seconds: Annotated[int, Field(ge=1, le=300)] = 2
    """Seconds between probes."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 2
    """Seconds after which a probe without a response has failed."""


class Probes(Section):
    """Probes. Default: a TCP connection to the port `http`, or else to the first one by name."""

    startup: StartupProbe | None = StartupProbe.model_construct()
    liveness: LivenessProbe | None = LivenessProbe.model_construct()
    readiness: ReadinessProbe | None = ReadinessProbe.model_construct()

    @property
    def paths(self) -> set[str]:
        """Paths of the HTTP requests."""
        probes: tuple[Probe | None, ...] = (self.startup, self.liveness, self.readiness)
        return {probe.http_get.path for probe in probes if probe and probe.http_get}

    def port_errors(self, ports: Ports, key: str) -> Iterator[FieldError]:
        """An error for each port name that is not in ``ports``; ``key`` is that of the probes."""
        for name in ("startup", "liveness", "readiness"):
            probe: Probe | None = getattr(self, name)
            for field in _ACTIONS:
                port = getattr(getattr(probe, field, None), "port", None)
                if port is not None and port not in ports:
                    alias = Probe.model_fields[field].alias
                    yield unknown_port(f"{key}.{name}.{alias}.port", port, ports)


def unknown_port(key: str, port: str, ports: Ports) -> FieldError:
    """Error of a port name that is not in ``ports``."""
    allowed = f"a name in ports: {', '.join(ports)}" if ports else "no port: ports is empty"
    return FieldError(key, port, allowed)
