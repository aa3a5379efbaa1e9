"""Every rule: what breaks it, what is said then, and what does not break it."""

import pytest

from policy.judgement import load
from policy.objects import UNKNOWN, Object
from policy.rule import RULES
from tests.unit.policy.cases import CASES, CONTAINER, Case, as_objects, find, manifests, put


def judged(case: Case, *, broken: bool) -> list[tuple[str, str]]:
    objects = as_objects(manifests(case.broken if broken else case.kept))
    return [(one.rule, str(one)) for one in load(case.stack).judge(objects)]


def test_every_rule_has_a_case() -> None:
    assert {case.rule for case in CASES} == set(RULES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_breaks_a_rule_breaks_it_and_no_other(case: Case) -> None:
    found = judged(case, broken=True)
    assert {rule for rule, _ in found} == {case.rule}
    assert any(case.says in message for _, message in found), found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_keeps_a_rule_breaks_none(case: Case) -> None:
    assert judged(case, broken=False) == []


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_stack_that_the_cases_change_keeps_every_rule(stack: str) -> None:
    assert load(stack).judge(as_objects(manifests())) == []


def test_a_message_names_the_object_and_where_it_is() -> None:
    objects = as_objects(manifests(put("Deployment", f"{CONTAINER}.image", "app:1")))
    (violation,) = load("prod").judge(objects)
    assert (violation.title, violation.id) == ("Deployment/app", "Deployment.yaml")
    assert str(violation).startswith("Deployment/app: container app runs app:1")


def test_what_a_preview_cannot_know_is_not_held_against_an_object() -> None:
    changed = manifests(put("Deployment", f"{CONTAINER}.image", UNKNOWN))
    assert load("prod").judge(as_objects(changed)) == []


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"])
def test_the_pods_of_every_kind_are_judged(kind: str) -> None:
    deployment = find(manifests(), "Deployment")
    template = deployment["spec"]["template"]
    template["spec"]["hostPID"] = True
    spec = {
        "Pod": template["spec"],
        "CronJob": {"jobTemplate": {"spec": {"template": template}}},
    }.get(kind, {"template": template})
    one = Object({**deployment, "kind": kind, "spec": spec})
    assert [*RULES["pod-security"].check(one, load("prod").stack)] == ["remove hostPID"]


def test_containers_that_end_need_no_probes_but_sidecars_do() -> None:
    changed = manifests()
    spec = find(changed, "Deployment")["spec"]["template"]["spec"]
    bare = {key: value for key, value in spec["containers"][0].items() if "Probe" not in key}
    spec["initContainers"] = [bare | {"name": "first"}]
    assert load("prod").judge(as_objects(changed)) == []
    spec["initContainers"] = [bare | {"name": "beside", "restartPolicy": "Always"}]
    (violation,) = load("prod").judge(as_objects(changed))
    assert violation.message == "container beside: add livenessProbe and readinessProbe"
