"""Evaluation of the rules on the objects of a stack, as configured in ``rules.yaml``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

import policy.rules  # noqa: F401  # declares them
from policy.objects import Object
from policy.rule import RULES, Environment, Rule, Stack

FILE = Path(__file__).parent / "rules.yaml"
VERSIONS = FILE.parents[1] / "versions.yaml"
EXEMPTIONS = "exemptions"
"""Name of the rule that reports exemptions which no violation needs."""

Level = Literal["mandatory", "advisory"]
"""Enforcement level of a rule."""


class PolicyError(Exception):
    """``rules.yaml`` is invalid."""


@dataclass(frozen=True)
class Exemption:
    """Exemption of an object from a rule."""

    rule: str
    object: str
    """Kind and name, like ``DaemonSet/node-exporter``; may hold a ``*``."""
    reason: str
    optional: bool = False
    """True if it is kept when no stack has such an object."""

    def matches(self, obj: Object) -> bool:
        """Return True if the exemption names this object."""
        return fnmatchcase(str(obj), self.object)


@dataclass(frozen=True)
class Violation:
    """Violation of a rule by an object."""

    rule: str
    level: Level
    source: str
    """URN or file that declares the object."""
    object: str
    message: str

    def __str__(self) -> str:
        return f"{self.object}: {self.message}"


@dataclass(frozen=True)
class Policy:
    """Rules that apply to a stack, with their enforcement levels and exemptions."""

    stack: Stack
    advisory: frozenset[str]
    exemptions: Sequence[Exemption]
    used_exemptions: set[Exemption] = field(default_factory=set, compare=False)

    @property
    def rules(self) -> list[Rule]:
        """Rules that apply to the stack's environment."""
        return [
            rule for rule in RULES.values() if rule.environment in (None, self.stack.environment)
        ]

    def level(self, rule: Rule) -> Level:
        """Enforcement level of a rule in this stack."""
        return "advisory" if rule.name in self.advisory else "mandatory"

    def evaluate(self, objects: Sequence[Object]) -> list[Violation]:
        """Violations of all rules by the objects of the whole stack."""
        found = [violation for rule in self.rules for violation in self.violations(rule, objects)]
        return found + list(self.unneeded_exemptions(objects))

    def violations(self, rule: Rule, objects: Sequence[Object]) -> Iterator[Violation]:
        """Violations of one rule, without those that are exempt."""
        stack = replace(self.stack, objects=objects)
        exemptions = [exemption for exemption in self.exemptions if exemption.rule == rule.name]
        for obj in objects:
            for message in rule.validate(obj, stack):
                matching = [exemption for exemption in exemptions if exemption.matches(obj)]
                self.used_exemptions.update(matching)
                if not matching:
                    yield Violation(rule.name, self.level(rule), obj.source, str(obj), message)

    def unneeded_exemptions(self, objects: Sequence[Object]) -> Iterator[Violation]:
        """Exemptions of objects that comply without them. Call it after the rules are evaluated."""
        applied = {rule.name for rule in self.rules}
        for exemption in self.exemptions:
            obj = next((obj for obj in objects if exemption.matches(obj)), None)
            if obj and exemption.rule in applied and exemption not in self.used_exemptions:
                message = f"it complies with {exemption.rule}: remove the exemption in {FILE.name}"
                yield Violation(EXEMPTIONS, "mandatory", obj.source, exemption.object, message)


def load(stack: str, file: Path = FILE, versions: Path = VERSIONS) -> Policy:
    """Policy of a stack. Raises :class:`PolicyError` if ``rules.yaml`` is invalid."""
    document = _read(file)
    exemptions = [_exemption(file, entry) for entry in document.get("exemptions") or []]
    config = _stack_config(file, document, stack)
    advisory = frozenset(config.get("advisory") or [])
    unknown = sorted((advisory | {exemption.rule for exemption in exemptions}) - set(RULES))
    if unknown:
        raise PolicyError(
            f"{file.name}: there is no rule {', '.join(unknown)}: use {', '.join(RULES)}"
        )
    images = frozenset((_read(versions).get("images") or {}).values())
    return Policy(Stack(stack, config["environment"], (), images), advisory, exemptions)


def advisory_rules(file: Path = FILE) -> list[str]:
    """Names of the rules that are advisory in any stack."""
    stacks = _read(file).get("stacks") or {}
    return sorted({name for config in stacks.values() for name in config.get("advisory") or ()})


def unused_exemptions(policies: Sequence[Policy]) -> list[Exemption]:
    """Exemptions that no evaluated stack needs."""
    used = {exemption for policy in policies for exemption in policy.used_exemptions}
    return [
        exemption
        for exemption in policies[0].exemptions
        if exemption not in used and not exemption.optional
    ]


def _read(file: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise PolicyError(f"{file.name} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise PolicyError(f"{file.name} is not a mapping")
    return document


def _stack_config(file: Path, document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    stacks = document.get("stacks")
    stacks = stacks if isinstance(stacks, dict) else {}
    name = name if name in stacks else "default"
    config = stacks.get(name)
    path = f"{file.name}: stacks.{name}"
    environments = get_args(Environment)
    if not isinstance(config, dict) or config.get("environment") not in environments:
        raise PolicyError(f"{path}.environment: use {' or '.join(environments)}")
    if unknown := sorted(set(config) - {"environment", "advisory"}):
        raise PolicyError(f"{path} has {', '.join(unknown)}: use environment, advisory")
    return config


def _exemption(file: Path, entry: Any) -> Exemption:  # noqa: ANN401
    keys = ("rule", "object", "reason")
    optional = isinstance(entry, dict) and entry.get("optional", False)
    required = {key: entry.get(key) for key in keys} if isinstance(entry, dict) else {}
    is_complete = required and all(required.values()) and {*entry} <= {*keys, "optional"}
    if not is_complete or not isinstance(optional, bool):
        raise PolicyError(f"{file.name}: an exemption has the keys {', '.join(keys)}: {entry}")
    rule, obj, reason = (str(value).strip() for value in required.values())
    return Exemption(rule, obj, reason, optional)
