"""What a pod needs to be run well: bounds, and ways to ask for its state."""

from collections.abc import Iterator

from policy.objects import Object, mapping
from policy.rule import Stack, rule

_COMPUTE = ("cpu", "memory")
_PROBES = ("livenessProbe", "readinessProbe")


@rule("resources")
def resources(one: Object, _: Stack) -> Iterator[str]:
    """Every container requests CPU and memory, and has a limit of both."""
    for container in one.pod.containers if one.pod else ():
        missing = [
            f"{amounts}.{name}"
            for amounts in ("requests", "limits")
            for name in _COMPUTE
            if not mapping(container.spec, "resources", amounts).get(name)
        ]
        if missing:
            yield f"container {container.name}: set resources.{', resources.'.join(missing)}"


@rule("probes")
def probes(one: Object, _: Stack) -> Iterator[str]:
    """Every container that stays says whether it lives and whether it is ready."""
    if one.pod is None or one.pod.ends:
        return
    for container in one.pod.containers:
        missing = [probe for probe in _PROBES if not mapping(container.spec, probe)]
        if missing and not container.is_init:
            yield f"container {container.name}: add {' and '.join(missing)}"
