"""A rule, and the stack that it judges."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from policy.objects import Object

Kind = Literal["development", "production"]


@dataclass(frozen=True)
class Stack:
    """What a rule may know besides the object that it looks at."""

    name: str
    kind: Kind
    objects: Sequence[Object] = ()
    """All of them, for rules that compare objects."""
    images: frozenset[str] = field(default_factory=frozenset)
    """The third-party images of ``versions.yaml``."""

    def of(self, objects: Sequence[Object]) -> "Stack":
        """The same stack, with these objects."""
        return replace(self, objects=objects)

    def of_kind(self, *kinds: str) -> Iterator[Object]:
        """The objects of some kinds."""
        return (one for one in self.objects if one.kind in kinds)


Check = Callable[[Object, Stack], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """One rule. ``check`` says of one object what has to be changed; nothing where all is well."""

    name: str
    description: str
    check: Check
    compares: bool
    """Whether it looks at other objects too, and so needs the whole stack."""
    only: Kind | None
    """The stacks that it is for; None: all."""


RULES: dict[str, Rule] = {}
"""Every rule by name, in the order in which the files of ``rules/`` declare them."""


def rule(
    name: str, *, compares: bool = False, only: Kind | None = None
) -> Callable[[Check], Check]:
    """Declare a rule; its description is the function's docstring."""

    def declare(check: Check) -> Check:
        if name in RULES:
            raise ValueError(f"there are two rules {name}")
        RULES[name] = Rule(name, (check.__doc__ or "").strip(), check, compares, only)
        return check

    return declare
