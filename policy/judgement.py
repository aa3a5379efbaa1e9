"""What ``rules.yaml`` says, and what the rules say of a stack in its light."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

import policy.rules  # noqa: F401  # declares them
from policy.objects import Object
from policy.rule import RULES, Kind, Rule, Stack

HERE = Path(__file__).parent
FILE = HERE / "rules.yaml"
VERSIONS = HERE.parent / "versions.yaml"
EXEMPTIONS = "exemptions"
"""The name under which exemptions that nothing needs are reported."""

Level = Literal["mandatory", "advisory"]


class PolicyError(Exception):
    """``rules.yaml`` cannot be used as it is."""


@dataclass(frozen=True)
class Exemption:
    """One object that need not keep one rule."""

    rule: str
    object: str
    """Like ``DaemonSet/node-exporter``; may hold a ``*``."""
    why: str

    def covers(self, rule: str, one: Object) -> bool:
        """Whether it is for this rule and this object."""
        return rule == self.rule and self.is_for(one)

    def is_for(self, one: Object) -> bool:
        """Whether it is for this object."""
        return fnmatchcase(one.title, self.object)


@dataclass(frozen=True)
class Violation:
    """What is to be changed in one object, and by which rule."""

    rule: str
    level: Level
    id: str
    """How the object's source names it."""
    title: str
    message: str

    def __str__(self) -> str:
        return f"{self.title}: {self.message}"


@dataclass(frozen=True)
class Policy:
    """The rules for one stack, with their levels and exemptions."""

    stack: Stack
    advisory: frozenset[str]
    exemptions: Sequence[Exemption]
    used: set[Exemption] = field(default_factory=set, compare=False)
    """The exemptions that an object needed."""

    @property
    def rules(self) -> list[Rule]:
        """The rules that hold for the stack."""
        return [rule for rule in RULES.values() if rule.only in (None, self.stack.kind)]

    def level(self, rule: str) -> Level:
        """Whether breaking the rule stops an update."""
        return "advisory" if rule in self.advisory else "mandatory"

    def judge(self, objects: Sequence[Object]) -> list[Violation]:
        """Everything that every rule says of a whole stack."""
        stack = self.stack.of(objects)
        found = [
            violation
            for rule in self.rules
            for one in objects
            for violation in self.violations(rule, one, stack)
        ]
        return found + list(self._unneeded(objects))

    def violations(self, rule: Rule, one: Object, stack: Stack) -> Iterator[Violation]:
        """What one rule says of one object that is not exempt from it."""
        for message in rule.check(one, stack):
            exempting = [each for each in self.exemptions if each.covers(rule.name, one)]
            self.used.update(exempting)
            if not exempting:
                yield Violation(rule.name, self.level(rule.name), one.id, one.title, message)

    def _unneeded(self, objects: Sequence[Object]) -> Iterator[Violation]:
        held = {rule.name for rule in self.rules}
        for exemption in self.exemptions:
            there = next((one for one in objects if exemption.is_for(one)), None)
            if exemption.rule in held and there and exemption not in self.used:
                message = f"it keeps {exemption.rule}: remove its exemption from {FILE.name}"
                yield Violation(EXEMPTIONS, "mandatory", there.id, exemption.object, message)


def load(stack: str, file: Path = FILE, versions: Path = VERSIONS) -> Policy:
    """The policy for a stack. Raises :class:`PolicyError` with every problem of the file."""
    document = _read(file)
    exemptions = [_exemption(file, one) for one in document.get("exemptions") or []]
    own = _stack(file, document, stack)
    advisory = frozenset(own.get("advisory") or [])
    unknown = sorted((advisory | {exemption.rule for exemption in exemptions}) - set(RULES))
    if unknown:
        raise PolicyError(
            f"{file.name}: there is no rule {', '.join(unknown)}: use {', '.join(RULES)}"
        )
    images = frozenset((_read(versions).get("images") or {}).values())
    return Policy(Stack(stack, own["kind"], (), images), advisory, exemptions)


def advised_somewhere(file: Path = FILE) -> frozenset[str]:
    """The rules that only advise in at least one stack."""
    stacks = _read(file).get("stacks") or {}
    return frozenset(name for own in stacks.values() for name in own.get("advisory") or ())


def never_used(policies: Sequence[Policy]) -> list[Exemption]:
    """The exemptions that no object of any of these stacks needed."""
    used = {exemption for policy in policies for exemption in policy.used}
    return [one for one in policies[0].exemptions if one not in used] if policies else []


def _read(file: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise PolicyError(f"{file.name} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise PolicyError(f"{file.name} is not a mapping")
    return document


def _stack(file: Path, document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    stacks = document.get("stacks")
    stacks = stacks if isinstance(stacks, dict) else {}
    own = stacks.get(name, stacks.get("default"))
    where = f"{file.name}: stacks.{name if name in stacks else 'default'}"
    if not isinstance(own, dict) or own.get("kind") not in get_args(Kind):
        raise PolicyError(f"{where}.kind: use {' or '.join(get_args(Kind))}")
    if unknown := sorted(set(own) - {"kind", "advisory"}):
        raise PolicyError(f"{where} has {', '.join(unknown)}: use kind, advisory")
    return own


def _exemption(file: Path, one: Any) -> Exemption:  # noqa: ANN401
    keys = ("rule", "object", "why")
    if not isinstance(one, dict) or set(one) != set(keys) or not all(one[key] for key in keys):
        raise PolicyError(f"{file.name}: an exemption has {', '.join(keys)} and no more: {one}")
    return Exemption(*(str(one[key]).strip() for key in keys))
