"""``slo`` of a service."""

from typing import Annotated, Literal

from pydantic import Field

from settings.section import Section

Objective = Annotated[float, Field(ge=50, le=99.999)]


class LatencyObjective(Section):
    """Latency objective."""

    objective: Objective = 99.0
    """Percentage of requests within the threshold."""
    threshold: Literal["25ms", "50ms", "80ms", "100ms", "250ms", "450ms", "500ms", "1s", "2.5s"] = (
        "250ms"
    )
    """Latency threshold: a bucket of the service's histogram."""


class SloSettings(Section):
    """Service level objective. It defines alerts, dashboards and the canary's promotion gate."""

    availability: Objective = 99.9
    """Percentage of requests without a 5xx status code."""
    latency: LatencyObjective | None = LatencyObjective()
    """`null`: none."""
    window_days: Annotated[int, Field(ge=7, le=90)] = 30
    """Rolling window of the objectives, in days."""
