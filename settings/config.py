"""``config`` of a service: configuration of the example service."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import FieldError
from settings.quantities import duration_format, duration_seconds
from settings.section import Section
from settings.string_formats import Url


class Timeouts(Section):
    """HTTP server timeouts. Go durations."""

    read_header: Annotated[str, duration_format("1s", "5m")] = "5s"
    """Maximum duration for reading the request headers."""
    read: Annotated[str, duration_format("1s", "10m")] = "15s"
    """Maximum duration for reading the entire request."""
    write: Annotated[str, duration_format("1s", "10m")] = "1m"
    """Maximum duration for writing the response."""
    idle: Annotated[str, duration_format("1s", "1h")] = "2m"
    """Maximum duration of an idle keep-alive connection. Longer than the proxy's timeout."""
    shutdown: Annotated[str, duration_format("1s", "5m")] = "20s"
    """Maximum duration for requests in flight to complete after `drain`."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if duration_seconds(self.read_header) > duration_seconds(self.read):
            yield FieldError("readHeader", self.read_header, f"at most read, which is {self.read}")


class RequestLimits(Section):
    """Limits on requests."""

    body_bytes: Annotated[int, Field(ge=1, le=16_777_216)] = 1_048_576
    """Maximum size of a request body, in bytes."""
    notes: Annotated[int, Field(ge=0, le=100_000)] = 1000
    """Maximum number of notes in memory."""
    work_iterations: Annotated[int, Field(ge=1, le=100_000_000)] = 5_000_000
    """Maximum number of iterations of a work request."""


class Faults(Section):
    """Fault injection."""

    enabled: bool = False
    """Enables fault injection."""
    error_rate: Annotated[float, Field(ge=0, le=1)] = 0
    """Fraction of API requests that fail."""
    error_status: Annotated[int, Field(ge=500, le=599)] = 500
    """HTTP status code of the failed requests."""
    latency: Annotated[str, duration_format("0s", "1m")] = "0s"
    """Delay added to each API request."""
    latency_jitter: Annotated[str, duration_format("0s", "1m")] = "0s"
    """Random variation of `latency`, in both directions."""
    cpu_burn: Annotated[float, Field(alias="cpuBurn", ge=0, le=1)] = 0
    """Fraction of all CPUs kept busy."""
    crash_after: Annotated[str, duration_format("0s", "24h")] = "0s"
    """Time after the start at which the process exits. 0s: never."""
    not_ready: bool = False
    """Makes the readiness probe fail."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if duration_seconds(self.latency_jitter) > duration_seconds(self.latency):
            allowed = f"at most latency, which is {self.latency}"
            yield FieldError("latencyJitter", self.latency_jitter, allowed)


class Tracing(Section):
    """Sampling of traces."""

    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Fraction of the requests without a sampling decision of the caller that are traced."""


class ServiceConfig(Section):
    """Configuration of the service, reloaded without a restart. See the service's README."""

    debug: bool = False
    """Enables the log level debug, regardless of `logLevel`."""
    log_level: Literal["debug", "info", "warn", "error"] = "info"
    """Minimum log level."""
    message: Annotated[str, Field(max_length=256)] = "Hello from beacon"
    """Message in the response to `GET /`."""
    startup_check: Literal["warn", "strict"] = "warn"
    """`strict`: do not start with too little memory, CPU, open files or temporary storage."""
    drain: Annotated[str, duration_format("0s", "5m")] = "5s"
    """Time after SIGTERM in which requests are still accepted while the pod is not ready."""
    timeouts: Timeouts = Timeouts()
    limits: RequestLimits = RequestLimits()
    tracing: Tracing = Tracing()
    profiling: bool = False
    """Enables pprof on port 6060 of the pod's loopback interface, for `kubectl port-forward`."""
    upstream: Url | None = None
    """URL requested by `GET /api/relay`. Default: the service itself."""
    faults: Faults = Faults()

    def cross_field_errors(self) -> Iterator[FieldError]:
        faults = self.faults
        latency = duration_seconds(faults.latency) + duration_seconds(faults.latency_jitter)
        if latency >= duration_seconds(self.timeouts.write):
            allowed = (
                f"less, including its jitter, than timeouts.write, which is {self.timeouts.write}"
            )
            yield FieldError("faults.latency", faults.latency, allowed)
