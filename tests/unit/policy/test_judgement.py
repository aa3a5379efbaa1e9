"""Levels and exemptions: what ``rules.yaml`` may say."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from policy.judgement import FILE, Policy, PolicyError, advised_somewhere, load, never_used
from policy.rule import RULES
from tests.unit.policy.cases import CASES, as_objects, manifests

STACKS = {
    "default": {"kind": "production"},
    "dev": {"kind": "development", "advisory": ["replicas", "probes"]},
}
UNPROBED = next(case for case in CASES if case.rule == "probes")


@pytest.fixture
def rules(tmp_path: Path):
    def write(*exemptions: dict[str, str], stacks: Any = STACKS) -> Path:
        file = tmp_path / "rules.yaml"
        file.write_text(yaml.safe_dump({"stacks": stacks, "exemptions": list(exemptions)}))
        return file

    return write


def exemption(rule: str = "probes", name: str = "Deployment/app") -> dict[str, str]:
    return {"rule": rule, "object": name, "why": "it is a test"}


def judged(policy: Policy) -> list[tuple[str, str]]:
    found = policy.judge(as_objects(manifests(UNPROBED.broken)))
    return [(one.rule, one.level) for one in found]


def test_a_rule_is_mandatory_unless_the_stack_is_only_advised(rules) -> None:
    file = rules()
    assert judged(load("prod", file)) == [("probes", "mandatory")]
    assert judged(load("dev", file)) == [("probes", "advisory")]
    assert advised_somewhere(file) == {"probes", "replicas"}


def test_a_stack_that_is_not_named_is_judged_as_production(rules) -> None:
    assert load("staging", rules()).stack.kind == "production"
    assert load("dev", rules()).stack.kind == "development"


def test_rules_for_production_do_not_hold_in_development(rules) -> None:
    of_prod, of_dev = (
        {rule.name for rule in load(stack, rules()).rules} for stack in ("prod", "dev")
    )
    assert "named-cluster" in of_prod - of_dev
    assert "no-public-load-balancer" in of_dev - of_prod


@pytest.mark.parametrize("name", ["Deployment/app", "Deployment/*", "*/app"])
def test_an_exempt_object_need_not_keep_the_rule(rules, name: str) -> None:
    policy = load("prod", rules(exemption(name=name)))
    assert judged(policy) == []
    assert [one.object for one in policy.used] == [name]


def test_an_exemption_is_for_its_own_rule_and_object_only(rules) -> None:
    other_object = load("prod", rules(exemption(name="Deployment/other")))
    assert judged(other_object) == [("probes", "mandatory")]
    other_rule = load("prod", rules(exemption("resources")))
    assert ("probes", "mandatory") in judged(other_rule)


def test_an_exemption_that_its_object_does_not_need_is_an_error(rules) -> None:
    policy = load("prod", rules(exemption()))
    (violation,) = policy.judge(as_objects(manifests()))
    assert (violation.rule, violation.level) == ("exemptions", "mandatory")
    assert "it keeps probes: remove its exemption from rules.yaml" in violation.message


def test_an_exemption_whose_object_is_in_no_stack_is_found(rules) -> None:
    file = rules(exemption(), exemption(name="Deployment/ap"))
    policies = [load("dev", file), load("prod", file)]
    for policy in policies:
        policy.judge(as_objects(manifests(UNPROBED.broken)))
    assert [one.object for one in never_used(policies)] == ["Deployment/ap"]


@pytest.mark.parametrize(
    ("exemptions", "stacks", "says"),
    [
        ([exemption("probe")], STACKS, "there is no rule probe: use "),
        ([exemption() | {"why": ""}], STACKS, "an exemption has rule, object, why and no more"),
        ([exemption() | {"until": "May"}], STACKS, "an exemption has rule, object, why"),
        ([], {"default": {"kind": "test"}}, "stacks.default.kind: use development or production"),
        ([], {}, "stacks.default.kind: use development or production"),
        ([], {"default": {"kind": "production", "rules": []}}, "use kind, advisory"),
        ([], {"default": {"kind": "production", "advisory": ["x"]}}, "there is no rule x"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(rules, exemptions, stacks, says: str) -> None:
    with pytest.raises(PolicyError, match=r"^rules\.yaml") as raised:
        load("prod", rules(*exemptions, stacks=stacks))
    assert says in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"rules\.yaml cannot be read"):
        load("prod", tmp_path / "rules.yaml")


def test_every_exemption_that_ships_says_why() -> None:
    assert all(len(one.why) > 40 for one in load("prod", FILE).exemptions)


def test_every_rule_says_in_one_sentence_what_it_is_for() -> None:
    for rule in RULES.values():
        first = rule.description.splitlines()[0]
        assert first.endswith((".", ":")), rule.name
