"""``slipway:namespace``."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from settings.errors import FieldError
from settings.resources import ResourceList
from settings.section import Section
from settings.string_formats import OwnNamespace


class ResourceQuotaSettings(Section):
    """Resource quota of the namespace. Defaults are raised to what the services may use."""

    pods: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Maximum number of pods: those of rollouts at maximum replicas, or more."""
    requests: ResourceList = ResourceList(cpu="10", memory="13Gi")
    """Maximum sum of all pods' requests. The default fits 50 pods of the default size."""
    limits: ResourceList = ResourceList(cpu="25", memory="25Gi")
    """Maximum sum of all pods' limits. The default fits 50 pods of the default size."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from self.requests.errors_above(self.limits, "requests", "limits")


class LimitRangeSettings(Section):
    """Default and maximum resources of each container."""

    default_request: ResourceList = ResourceList(cpu="100m", memory="64Mi")
    """Requests of a container that specifies none."""
    default: ResourceList = ResourceList(cpu="500m", memory="512Mi")
    """Limits of a container that specifies none."""
    max: ResourceList = ResourceList(cpu="2", memory="2Gi")
    """Maximum limits of a container."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from self.default_request.errors_above(self.default, "defaultRequest", "default")
        yield from self.default.errors_above(self.max, "default", "max")


class NamespaceSettings(Section):
    """Namespace of the services."""

    name: OwnNamespace
    """Name of the namespace. It is created and deleted with the stack."""
    resource_quota: ResourceQuotaSettings = ResourceQuotaSettings.model_construct()
    limit_range: LimitRangeSettings = LimitRangeSettings.model_construct()
