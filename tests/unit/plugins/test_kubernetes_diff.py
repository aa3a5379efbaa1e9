"""Differences are told at the path and in the kind that Pulumi's own plugin tells them."""

import pytest
from pulumi.runtime.proto import provider_pb2

from plugins.kubernetes import diff
from plugins.kubernetes.cluster import ApiError
from plugins.values import UNKNOWN

KIND = provider_pb2.PropertyDiff


def told(old: object, new: object, *ignored: str) -> dict[str, int]:
    paths = [diff.parse_path(path) for path in ignored]
    changed = diff.changes({"spec": old}, {"spec": new}, paths)
    return {diff.format_path(path): kind for path, kind in changed.items()}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": None}, {}, {}),
        ({"a": 1}, {"a": 2}, {"spec.a": KIND.UPDATE}),
        ({}, {"a": {"b": 1}}, {"spec.a": KIND.ADD}),
        ({"a": {"b": 1}}, {}, {"spec.a": KIND.DELETE}),
        ({"a": [1, 2]}, {"a": [1]}, {"spec.a[1]": KIND.DELETE}),
        (
            {"a": [{"b": 1}]},
            {"a": [{"b": 2}, 3]},
            {"spec.a[0].b": KIND.UPDATE, "spec.a[1]": KIND.ADD},
        ),
        ({"a": {"b": 1}}, {"a": "text"}, {"spec.a": KIND.UPDATE}),
        ({"a": 1}, {"a": UNKNOWN}, {"spec.a": KIND.UPDATE}),
        ({"a/b.c": 1}, {"a/b.c": 2}, {'spec["a/b.c"]': KIND.UPDATE}),
    ],
)
def test_a_difference_is_told_where_it_is(old: object, new: object, expected: dict[str, int]):
    assert told(old, new) == expected


def test_what_the_program_ignores_is_no_difference():
    old, new = {"replicas": 1, "a": [{"b": 1, "c": 1}]}, {"replicas": 2, "a": [{"b": 2, "c": 2}]}
    assert told(old, new, "spec.replicas", "spec.a[0].b") == {"spec.a[0].c": KIND.UPDATE}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("spec.ports[0].port", ("spec", "ports", 0, "port")),
        ('metadata.labels["a.b/c"]', ("metadata", "labels", "a.b/c")),
        ('data["a\\"b"]', ("data", 'a"b')),
    ],
)
def test_a_path_is_written_as_the_engine_reads_it(text: str, path: diff.Path):
    assert diff.format_path(path) == text
    assert diff.parse_path(text) == path


def obj(api_version: str, kind: str, **fields: object) -> dict[str, object]:
    return {"apiVersion": api_version, "kind": kind, **fields}


@pytest.mark.parametrize(
    ("new", "path", "is_mutable", "expected"),
    [
        (obj("v1", "ConfigMap"), "metadata.name", True, True),
        (obj("v1", "ConfigMap"), "metadata.labels.a", True, False),
        (obj("v1", "ConfigMap"), "data.a", False, True),
        (obj("v1", "ConfigMap"), "data.a", True, False),
        (obj("v1", "ConfigMap", immutable=True), "data.a", True, True),
        (obj("v1", "Secret"), "type", True, True),
        (obj("apps/v1", "Deployment"), "spec.selector.matchLabels.a", True, True),
        (obj("apps/v1", "Deployment"), "spec.template.metadata.labels.a", True, False),
        (obj("v1", "PersistentVolumeClaim"), "spec.resources.requests.storage", True, False),
        (obj("rbac.authorization.k8s.io/v1", "RoleBinding"), "roleRef.name", True, True),
    ],
)
def test_some_fields_take_a_new_object(new: dict, path: str, is_mutable: bool, expected: bool):
    fields = diff.force_new(new, data_is_mutable=is_mutable)
    assert diff.covered(diff.parse_path(path), fields) is expected


def refusal(field: str, message: str) -> ApiError:
    cause = {"reason": "FieldValueInvalid", "field": field, "message": message}
    return ApiError({"message": "no", "details": {"causes": [cause]}}, 422)


PATHS: dict[diff.Path, int] = {
    ("spec", "selector", "a"): diff.UPDATE,
    ("spec", "replicas"): diff.UPDATE,
}


@pytest.mark.parametrize(
    "message",
    [
        'Invalid value: {"a":"b"}: field is immutable',
        "Forbidden: may not be changed in an update.",
        'Invalid value: "x": cannot change roleRef',
        "Forbidden: updates to parameters are forbidden.",
        "Invalid value: may not change once set",
    ],
)
def test_a_field_that_the_api_server_calls_immutable_takes_a_new_object(message: str):
    problem = refusal("spec.selector", message)
    own = obj("policy/v1", "PodDisruptionBudget")
    assert diff.refused(problem, own, PATHS) == [("spec", "selector", "a")]


@pytest.mark.parametrize("group", ["example.com", "snapshot.storage.k8s.io"])
def test_a_refused_change_never_replaces_a_custom_resource(group: str):
    problem = refusal("spec.selector", "Invalid value: field is immutable")
    assert diff.refused(problem, obj(f"{group}/v1", "Thing"), PATHS) == []


def test_any_other_refusal_does_not():
    problem = refusal("spec.replicas", "Invalid value: -1: must be greater than or equal to 0")
    assert diff.refused(problem, obj("v1", "Thing"), PATHS) == []


def test_a_refused_change_never_replaces_what_holds_data():
    problem = refusal("spec", "Forbidden: spec is immutable after creation except resources")
    assert diff.refused(problem, obj("v1", "PersistentVolumeClaim"), PATHS) == []


def test_a_replacing_change_is_marked_and_a_deleted_one_is_shown_from_the_inputs():
    changed: dict[diff.Path, int] = {("a",): diff.ADD, ("b",): diff.DELETE, ("c",): diff.UPDATE}
    shown = diff.detailed(changed, [("a",), ("b",)])
    assert {key: (item.kind, item.inputDiff) for key, item in shown.items()} == {
        "a": (KIND.ADD_REPLACE, False),
        "b": (KIND.DELETE_REPLACE, True),
        "c": (KIND.UPDATE, False),
    }
