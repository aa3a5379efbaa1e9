"""``drill`` of a service."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from settings.errors import FieldError
from settings.release import TRACK_KEYS
from settings.section import Section
from settings.string_formats import HeaderName, UrlPath

Fault = Literal[
    "errors",
    "latency",
    "crashLoop",
    "neverReady",
    "memoryLeak",
    "slowStart",
    "badConfiguration",
]


class DrillSettings(Section):
    """Drill of `make drill`: bad versions under load, in a stack of their own."""

    path: UrlPath = "/"
    """Path of the requests. Its response without a fault has a status below 400."""
    version_header: HeaderName | None = None
    """Response header with the pod's name, or with the version in the pod's labels. Default: none,
    the responses of a version are counted by Prometheus."""
    progress_deadline_seconds: Annotated[int, Field(ge=10, le=500)] = 60
    """`workload.rollout.progressDeadlineSeconds` in a drill."""
    faults: dict[Fault, dict[str, Any]] = {}
    """Keys of the service that cause a fault, by fault. They are merged over the service. Those of
    `crashLoop`, `neverReady`, `memoryLeak`, `slowStart` and `badConfiguration` have a default that
    works with any service."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        for fault, keys in self.faults.items():
            if not keys:
                yield FieldError(f"faults.{fault}", keys, "at least one key of the service")
            for key, value in keys.items():
                if key not in TRACK_KEYS:
                    allowed = f"one of {', '.join(TRACK_KEYS)}"
                    yield FieldError(f"faults.{fault}.{key}", value, allowed)
