"""Environments, enforcement levels and exemptions in ``rules.yaml``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from policy.evaluation import Policy, PolicyError, advisory_rules, load, unused_exemptions
from tests.unit.policy.cases import objects

STACKS = {
    "default": {"environment": "production"},
    "dev": {"environment": "development", "advisory": ["probes"]},
}
NO_PROBE = {"container readinessProbe": None}

WriteRules = Callable[..., Path]


@pytest.fixture
def rules(tmp_path: Path) -> WriteRules:
    def write(*exemptions: dict[str, str], stacks: Any = STACKS) -> Path:
        file = tmp_path / "rules.yaml"
        file.write_text(yaml.safe_dump({"stacks": stacks, "exemptions": list(exemptions)}))
        return file

    return write


def exemption(rule: str = "probes", name: str = "Deployment/app") -> dict[str, str]:
    return {"rule": rule, "object": name, "reason": "this is a test"}


def evaluate(policy: Policy) -> list[tuple[str, str]]:
    return [(violation.rule, violation.level) for violation in policy.evaluate(objects(NO_PROBE))]


def test_a_rule_is_mandatory_unless_it_is_advisory_in_the_stack(rules: WriteRules) -> None:
    assert evaluate(load("prod", rules())) == [("probes", "mandatory")]
    assert evaluate(load("dev", rules())) == [("probes", "advisory")]
    assert advisory_rules(rules()) == ["probes"]


def test_a_stack_that_is_not_listed_is_production(rules: WriteRules) -> None:
    assert load("staging", rules()).stack.environment == "production"
    assert load("dev", rules()).stack.environment == "development"


def test_a_rule_applies_to_its_environment_only(rules: WriteRules) -> None:
    prod, dev = ({rule.name for rule in load(stack, rules()).rules} for stack in ("prod", "dev"))
    assert "kubeconfig-context" in prod - dev
    assert "no-public-load-balancer" in dev - prod


@pytest.mark.parametrize("name", ["Deployment/app", "Deployment/*", "*/app"])
def test_an_exempt_violation_is_not_reported(rules: WriteRules, name: str) -> None:
    policy = load("prod", rules(exemption(name=name)))
    assert evaluate(policy) == []
    assert [used.object for used in policy.used_exemptions] == [name]


@pytest.mark.parametrize("other", [exemption(name="Deployment/other"), exemption("resources")])
def test_an_exemption_covers_only_its_rule_and_object(rules: WriteRules, other: Any) -> None:
    assert ("probes", "mandatory") in evaluate(load("prod", rules(other)))


def test_an_exemption_of_a_compliant_object_is_a_violation(rules: WriteRules) -> None:
    (violation,) = load("prod", rules(exemption())).evaluate(objects())
    assert (violation.rule, violation.level) == ("exemptions", "mandatory")
    assert "complies with probes: remove the exemption in rules.yaml" in violation.message


def test_an_exemption_that_no_stack_needs_is_found(rules: WriteRules) -> None:
    file = rules(exemption(), exemption(name="Deployment/ap"))
    policies = [load("dev", file), load("prod", file)]
    for policy in policies:
        policy.evaluate(objects(NO_PROBE))
    assert [unused.object for unused in unused_exemptions(policies)] == ["Deployment/ap"]


@pytest.mark.parametrize(
    ("exemptions", "stacks", "message"),
    [
        ([exemption("probe")], STACKS, "there is no rule probe: use "),
        ([exemption() | {"reason": ""}], STACKS, "an exemption has the keys rule, object, reason"),
        ([exemption() | {"until": "May"}], STACKS, "an exemption has the keys rule, object"),
        ([], {"default": {"environment": "test"}}, "environment: use development or production"),
        ([], {}, "stacks.default.environment: use development or production"),
        ([], {"default": {"environment": "production", "rules": []}}, "use environment, advisory"),
        ([], {"default": {"environment": "production", "advisory": ["x"]}}, "there is no rule x"),
    ],
)
def test_an_invalid_file_is_refused(
    rules: WriteRules, exemptions: list[Any], stacks: Any, message: str
) -> None:
    with pytest.raises(PolicyError, match=r"^rules\.yaml") as raised:
        load("prod", rules(*exemptions, stacks=stacks))
    assert message in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"rules\.yaml cannot be read"):
        load("prod", tmp_path / "rules.yaml")
