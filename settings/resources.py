"""CPU and memory of pods."""

from collections.abc import Iterator

from settings.errors import FieldError
from settings.quantities import Cpu, Memory, parse_quantity
from settings.section import Section


class ResourceList(Section):
    """CPU and memory."""

    cpu: Cpu
    """Cores or millicores."""
    memory: Memory
    """Bytes, as a quantity with a suffix."""

    def maximum(self, other: "ResourceList") -> "ResourceList":
        """The larger quantity of each resource."""
        return ResourceList(
            cpu=max(self.cpu, other.cpu, key=parse_quantity),
            memory=max(self.memory, other.memory, key=parse_quantity),
        )

    def errors_above(self, limit: "ResourceList", key: str, limit_key: str) -> Iterator[FieldError]:
        """An error for each resource that is more than in ``limit``."""
        for name in ("cpu", "memory"):
            value, maximum = getattr(self, name), getattr(limit, name)
            if parse_quantity(value) > parse_quantity(maximum):
                allowed = f"at most {limit_key}.{name}, which is {maximum}"
                yield FieldError(f"{key}.{name}", value, allowed)


class ResourceRequirements(Section):
    """Resource requests and limits of a container."""

    requests: ResourceList
    """Resources reserved for the container by the scheduler."""
    limits: ResourceList
    """Maximum resources the container may use."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from self.requests.errors_above(self.limits, "requests", "limits")


OPERATOR_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="10m", memory="64Mi"),
    limits=ResourceList(cpu="500m", memory="256Mi"),
)
"""Default resources of an operator's pod."""
