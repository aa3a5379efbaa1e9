"""The CrossGuard pack: ``pulumi preview --policy-pack policy``.

The engine gives a pack no stack configuration, but every URN holds the stack's name. Rules read
what the program declares, not what the cluster made of it, so that they say the same of manifests.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_policy import (  # pyright: ignore[reportMissingImports]  # in a venv of its own
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError  # pyright: ignore[reportMissingImports]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policy.judgement import EXEMPTIONS, Level, PolicyError, advised_somewhere, load
from policy.objects import PROVIDER, UNKNOWN, Object
from policy.rule import RULES, Rule

_KUBERNETES = "kubernetes:"
_PROVIDER = "pulumi:providers:kubernetes"
_LEVELS: Mapping[Level, EnforcementLevel] = {
    "mandatory": EnforcementLevel.MANDATORY,
    "advisory": EnforcementLevel.ADVISORY,
}


class Pack:
    """The rules as policies, and the objects that went by."""

    def __init__(self) -> None:
        self._seen: dict[str, Object] = {}
        self._policy = cache(load)

    @property
    def policies(self) -> list[ResourceValidationPolicy | StackValidationPolicy]:
        """One for each rule; a second one, with the other level, where a stack is only advised."""
        advised = advised_somewhere()
        return [
            ResourceValidationPolicy("objects", "Notes what is declared.", self._note),
            *(
                self._as_policy(rule, level)
                for rule in RULES.values()
                for level in _LEVELS
                if level == "mandatory" or rule.name in advised
            ),
            StackValidationPolicy(
                EXEMPTIONS,
                "Every exemption in rules.yaml is needed.",
                self._check_exemptions,
                EnforcementLevel.MANDATORY,
            ),
        ]

    def _as_policy(
        self, rule: Rule, level: Level
    ) -> ResourceValidationPolicy | StackValidationPolicy:
        def one(args: ResourceValidationArgs, report: ReportViolation) -> None:
            if declared := _object(args):
                self._report(rule, level, [declared], [declared], report)

        def all_of_them(args: StackValidationArgs, report: ReportViolation) -> None:
            objects = self._objects(args)
            self._report(rule, level, objects, objects, report)

        name = rule.name if level == "mandatory" else f"{rule.name}-{level}"
        if rule.compares:
            return StackValidationPolicy(name, rule.description, all_of_them, _LEVELS[level])
        return ResourceValidationPolicy(name, rule.description, one, _LEVELS[level])

    def _report(
        self,
        rule: Rule,
        level: Level,
        judged: Sequence[Object],
        objects: Sequence[Object],
        report: ReportViolation,
    ) -> None:
        for declared in judged:
            policy = self._policy(_stack(declared.id))
            if rule in policy.rules and policy.level(rule.name) == level:
                for violation in policy.violations(rule, declared, policy.stack.of(objects)):
                    report(str(violation), violation.id)

    def _check_exemptions(self, args: StackValidationArgs, report: ReportViolation) -> None:
        objects = self._objects(args)
        if objects:
            for violation in self._policy(_stack(objects[0].id)).judge(objects):
                if violation.rule == EXEMPTIONS:
                    report(str(violation), violation.id)

    def _note(self, args: ResourceValidationArgs, _: ReportViolation) -> None:
        if declared := _object(args):
            self._seen[args.urn] = declared

    def _objects(self, args: StackValidationArgs) -> list[Object]:
        return [self._seen[one.urn] for one in args.resources if one.urn in self._seen]


def _stack(urn: str) -> str:
    return urn.split(":", 4)[2]


def _object(args: ResourceValidationArgs) -> Object | None:
    inputs = {key: _plain(args.props, key) for key in args.props}
    if args.resource_type == _PROVIDER:
        declared = {"kind": PROVIDER, "metadata": {"name": args.name}, "spec": inputs}
        return Object(declared, args.urn)
    is_object = args.resource_type.startswith(_KUBERNETES) and "kind" in inputs
    return Object(inputs, args.urn) if is_object else None


def _plain(holder: Any, key: Any) -> Any:  # noqa: ANN401
    try:
        value = holder[key]
    except UnknownValueError:
        return UNKNOWN
    if isinstance(value, Mapping):
        return {inner: _plain(value, inner) for inner in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(value, index) for index in range(len(value))]
    return value


def main() -> None:
    """Serve the pack until the engine ends it."""
    try:
        load("default")  # what is wrong with rules.yaml is said once, before anything is judged
        policies = Pack().policies
    except PolicyError as error:
        raise SystemExit(f"error: {error}") from None
    PolicyPack("slipway", policies)


if __name__ == "__main__":
    main()
