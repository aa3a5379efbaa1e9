"""CPU and memory."""

from collections.abc import Iterator

from schemas.problems import Problem
from schemas.section import Section
from schemas.values import Cpu, Memory, amount


class Compute(Section):
    """An amount of CPU and memory."""

    cpu: Cpu
    """Cores or millicores."""
    memory: Memory
    """Bytes."""

    def exceeding(self, other: "Compute", prefix: str, bound: str) -> Iterator[Problem]:
        """Where this is more than ``other``."""
        for name in ("cpu", "memory"):
            value, most = getattr(self, name), getattr(other, name)
            if amount(value) > amount(most):
                yield Problem(f"{prefix}.{name}", value, f"at most {bound}.{name}, which is {most}")
