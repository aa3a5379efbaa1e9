"""Violations that each rule finds."""

import pytest

from policy.evaluation import load
from policy.objects import UNKNOWN, Object
from policy.rule import RULES
from tests.unit.policy.cases import CASES, Case, find, manifests, objects


def test_every_rule_has_a_case() -> None:
    assert {case.rule for case in CASES} == set(RULES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_violation_is_reported_by_its_rule_only(case: Case) -> None:
    violations = load(case.stack).evaluate(objects(case.violation))
    assert {violation.rule for violation in violations} == {case.rule}
    assert any(case.message in violation.message for violation in violations), violations


@pytest.mark.parametrize("case", [case for case in CASES if case.compliant], ids=str)
def test_a_compliant_change_violates_no_rule(case: Case) -> None:
    assert load(case.stack).evaluate(objects(case.compliant)) == []


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_unchanged_stack_violates_no_rule(stack: str) -> None:
    assert load(stack).evaluate(objects()) == []


def test_a_violation_names_the_object_and_its_source() -> None:
    (violation,) = load("prod").evaluate(objects({"container image": "app:1"}))
    assert violation.source == "Deployment.yaml"
    assert str(violation).startswith("Deployment/app: container app runs app:1")


def test_an_unknown_image_is_no_violation() -> None:
    assert load("prod").evaluate(objects({"container image": UNKNOWN})) == []


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"])
def test_pods_of_every_workload_kind_are_validated(kind: str) -> None:
    deployment = find(manifests({"pod hostPID": True}), "Deployment")
    template = deployment["spec"]["template"]
    spec = {
        "Pod": template["spec"],
        "CronJob": {"jobTemplate": {"spec": {"template": template}}},
    }.get(kind, {"template": template})
    obj = Object({**deployment, "kind": kind, "spec": spec})
    (message,) = RULES["pod-security"].validate(obj, load("prod").stack)
    assert "hostPID" in message


@pytest.mark.parametrize("kind", ["Service", "Configuration"])
def test_pods_of_a_knative_service_are_validated(kind: str) -> None:
    deployment = find(manifests({"pod hostPID": True}), "Deployment")
    obj = Object({**deployment, "apiVersion": "serving.knative.dev/v1", "kind": kind})
    (message,) = RULES["pod-security"].validate(obj, load("prod").stack)
    assert "hostPID" in message


def test_a_host_of_a_knative_service_has_no_pod() -> None:
    mapping = {"apiVersion": "serving.knative.dev/v1beta1", "kind": "DomainMapping"}
    assert Object(mapping).pod is None


@pytest.mark.parametrize(
    ("restart_policy", "messages"),
    [(None, []), ("Always", ["container init: add livenessProbe and readinessProbe"])],
    ids=["init container", "sidecar"],
)
def test_sidecars_need_probes_and_init_containers_do_not(
    restart_policy: str | None, messages: list[str]
) -> None:
    container = find(manifests(), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    init = {key: value for key, value in container.items() if "Probe" not in key}
    init |= {"name": "init", "restartPolicy": restart_policy}
    violations = load("prod").evaluate(objects({"pod initContainers": [init]}))
    assert [violation.message for violation in violations] == messages
