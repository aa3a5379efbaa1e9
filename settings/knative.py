"""``workload.knative`` of a service."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import FieldError
from settings.resources import ResourceList, ResourceRequirements
from settings.section import Section

QUEUE_PROXY = ResourceRequirements(
    requests=ResourceList(cpu="25m", memory="50Mi"), limits=ResourceList(cpu="500m", memory="200Mi")
)
"""Resources of the container ``queue-proxy``, which Knative adds to each pod."""
REVISION_HASH_LENGTH = 10
"""Hexadecimal digits at the end of a revision's name."""
USER_PORT = "user-port"
"""Name that Knative gives to the only port of a container."""


class KnativeSettings(Section):
    """Autoscaling of a Knative Service."""

    min_scale: Annotated[int, Field(ge=0, le=1000)] = 0
    """Minimum number of pods of each version that gets requests. 0: it is scaled to zero."""
    max_scale: Annotated[int, Field(ge=1, le=1000)] = 10
    """Maximum number of pods of each version. They must fit into `namespace.resourceQuota`."""
    initial_scale: Annotated[int, Field(ge=1, le=1000)] = 1
    """Ready pods that a new version needs before it gets requests."""
    metric: Literal["concurrency", "rps"] = "concurrency"
    """Metric that the autoscaler scales by: concurrent requests, or requests per second."""
    target: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Target value of the metric for each pod."""
    container_concurrency: Annotated[int, Field(ge=0, le=1000)] = 0
    """Maximum number of concurrent requests of a pod. More are queued. 0: no maximum."""
    scale_down_delay_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """Seconds of fewer requests after which pods are removed."""
    scale_to_zero_retention_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """Minimum number of seconds that the last pod runs without requests."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        for name in ("min_scale", "initial_scale"):
            value = getattr(self, name)
            if value > self.max_scale:
                key = type(self).model_fields[name].alias or name
                yield FieldError(key, value, f"at most maxScale, which is {self.max_scale}")
