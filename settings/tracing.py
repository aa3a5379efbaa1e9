"""``tracing`` of a service."""

from typing import Annotated

from pydantic import Field

from settings.section import Section


class TracingSettings(Section):
    """Traces of the service, by the `OTEL_…` variables of OpenTelemetry."""

    enabled: bool = True
    """Passes the trace receiver of `slipway:observability` to the service."""
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Fraction of the requests without a sampling decision of the caller that are traced."""
