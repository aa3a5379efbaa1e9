"""Entry point of the CrossGuard pack: ``pulumi preview --policy-pack policy``."""

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_policy import (  # pyright: ignore[reportMissingImports]  # has its own environment
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

from policy.evaluation import EXEMPTIONS, Level, Policy, PolicyError, advisory_rules, load
from policy.objects import PROVIDER, UNKNOWN, Object
from policy.rule import RULES, Rule


class Pack:
    """CrossGuard policies for the rules.

    Validates the inputs of resources, as ``make policy`` does. Stack validation gets outputs, so
    the inputs are collected during resource validation. A pack learns the name of the stack from
    the URNs, after it has declared its policies: a rule that is advisory in some stacks has a
    policy for each enforcement level.
    """

    def __init__(self) -> None:
        self._inputs: dict[str, Object] = {}
        self._policy = cache(load)

    def policies(self) -> list[ResourceValidationPolicy | StackValidationPolicy]:
        """Policies for the rules, and those that collect inputs and check exemptions."""
        return [
            ResourceValidationPolicy("inputs", "Collects the inputs of resources.", self._collect),
            *(self._crossguard_policy(rule, "mandatory") for rule in RULES.values()),
            *(self._crossguard_policy(RULES[name], "advisory") for name in advisory_rules()),
            StackValidationPolicy(
                EXEMPTIONS,
                "Every exemption in rules.yaml is needed.",
                self._check_exemptions,
                EnforcementLevel.MANDATORY,
            ),
        ]

    def _crossguard_policy(
        self, rule: Rule, level: Level
    ) -> ResourceValidationPolicy | StackValidationPolicy:
        def validate(objects: Sequence[Object], report: ReportViolation) -> None:
            if objects:
                policy = self._policy_of(objects[0])
                if rule in policy.rules and policy.level(rule) == level:
                    for violation in policy.violations(rule, objects):
                        report(str(violation), violation.source)

        def validate_resource(args: ResourceValidationArgs, report: ReportViolation) -> None:
            if obj := _object(args):
                validate([obj], report)

        def validate_stack(args: StackValidationArgs, report: ReportViolation) -> None:
            validate(self._objects(args), report)

        name = rule.name if level == "mandatory" else f"{rule.name}-{level}"
        enforcement = EnforcementLevel(level)
        if rule.needs_stack:
            return StackValidationPolicy(name, rule.description, validate_stack, enforcement)
        return ResourceValidationPolicy(name, rule.description, validate_resource, enforcement)

    def _check_exemptions(self, args: StackValidationArgs, report: ReportViolation) -> None:
        objects = self._objects(args)
        if objects:
            for violation in self._policy_of(objects[0]).evaluate(objects):
                if violation.rule == EXEMPTIONS:
                    report(str(violation), violation.source)

    def _policy_of(self, obj: Object) -> Policy:
        stack = obj.source.split(":")[2]  # urn:pulumi:<stack>::<project>::<type>::<name>
        return self._policy(stack)

    def _collect(self, args: ResourceValidationArgs, _: ReportViolation) -> None:
        if obj := _object(args):
            self._inputs[args.urn] = obj

    def _objects(self, args: StackValidationArgs) -> list[Object]:
        urns = (resource.urn for resource in args.resources)
        return [self._inputs[urn] for urn in urns if urn in self._inputs]


def _object(args: ResourceValidationArgs) -> Object | None:
    inputs = {key: _plain(args.props, key) for key in args.props}
    if args.resource_type == "pulumi:providers:kubernetes":
        manifest = {"kind": PROVIDER, "metadata": {"name": args.name}, "spec": inputs}
        return Object(manifest, args.urn)
    is_object = args.resource_type.startswith("kubernetes:") and "kind" in inputs
    if is_object and "spec.replicas" in args.opts.ignore_changes:
        inputs["spec"] = {key: value for key, value in inputs["spec"].items() if key != "replicas"}
    return Object(inputs, args.urn) if is_object else None


def _plain(container: Any, key: Any) -> Any:  # noqa: ANN401
    try:
        value = container[key]
    except UnknownValueError:
        return UNKNOWN
    if isinstance(value, Mapping):
        return {inner: _plain(value, inner) for inner in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(value, index) for index in range(len(value))]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def main() -> None:
    """Serve the policies until the engine stops the pack."""
    try:
        load("default")  # report an invalid rules.yaml once
        policies = Pack().policies()
    except PolicyError as error:
        raise SystemExit(f"error: {error}") from None
    PolicyPack("slipway", policies)


if __name__ == "__main__":
    main()
