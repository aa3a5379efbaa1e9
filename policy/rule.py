"""Rules and the stack that they validate."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from policy.objects import Object

Environment = Literal["development", "production"]


@dataclass(frozen=True)
class Stack:
    """Stack that the rules validate."""

    name: str
    environment: Environment
    objects: Sequence[Object] = ()
    """All objects of the stack; complete only for rules with ``needs_stack``."""
    pinned_images: frozenset[str] = frozenset()
    """Third-party images that ``versions.yaml`` pins."""

    def of_kind(self, *kinds: str) -> Iterator[Object]:
        """Objects of the given kinds."""
        return (obj for obj in self.objects if obj.kind in kinds)


Validate = Callable[[Object, Stack], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """Rule of the policy pack."""

    name: str
    description: str
    validate: Validate
    """Yields a message per violation: the field, and the change that fixes it."""
    needs_stack: bool
    """True if the rule reads other objects of the stack, not only the one it validates."""
    environment: Environment | None
    """Environment that the rule applies to; None: all."""


RULES: dict[str, Rule] = {}
"""All rules by name, in the order of their declaration."""


def rule(
    name: str, *, needs_stack: bool = False, environment: Environment | None = None
) -> Callable[[Validate], Validate]:
    """Declare a rule. The docstring of the function is the rule's description."""

    def declare(validate: Validate) -> Validate:
        if name in RULES:
            raise ValueError(f"rule {name} is declared twice")
        description = (validate.__doc__ or "").strip()
        RULES[name] = Rule(name, description, validate, needs_stack, environment)
        return validate

    return declare
