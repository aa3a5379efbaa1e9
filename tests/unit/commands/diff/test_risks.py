"""Warnings of risky changes."""

from typing import Any

import pytest

from commands.diff.manifests import Manifest
from tests.unit.commands.diff.manifests import manifest, report


def warnings(old: Manifest | None, new: Manifest | None) -> list[str]:
    return [*report([old] if old else [], [new] if new else []).warnings]


@pytest.mark.parametrize(
    "kind",
    [
        *("StatefulSet", "PersistentVolumeClaim", "Service", "Ingress", "HTTPRoute"),
        *("Namespace", "Secret"),
    ],
)
def test_deleting_an_object_with_state_or_routes_is_a_risk(kind: str) -> None:
    (warning,) = warnings(manifest(kind, "a"), None)
    assert warning.startswith(f"deletes {kind} ")


def test_a_moved_namespace_says_what_it_means_for_requests() -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "app": "slipway"}
    old, new = (manifest("Namespace", name) for name in ("old", "new"))
    for one in (old, new):
        one["metadata"]["labels"] = labels
    (warning,) = report([old], [new]).warnings
    assert "requests are routed to the new namespace before the old one is deleted" in warning


def test_other_deletions_and_additions_are_no_risk() -> None:
    assert warnings(manifest("ConfigMap", "a"), manifest("Service", "b")) == []


@pytest.mark.parametrize(
    ("kind", "old", "new", "field"),
    [
        ("Deployment", {"spec": {"selector": 1}}, {"spec": {"selector": 2}}, "spec.selector"),
        ("Deployment", {"spec": {"selector": 1}}, {"spec": 2}, "spec"),
        ("Secret", {"type": "a"}, {"type": "b"}, "type"),
        ("ConfigMap", {"immutable": True, "data": {"a": 1}}, {"immutable": True}, "data"),
    ],
)
def test_replacing_an_object_is_a_risk(kind: str, old: Any, new: Any, field: str) -> None:
    changed = report([manifest(kind, "a", **old)], [manifest(kind, "a", **new)])
    assert changed.warnings == [f"replaces {kind} web/a: {field} cannot be changed in place"]
    assert "1 of them replaced" in changed.totals


@pytest.mark.parametrize(
    ("kind", "fields", "changed"),
    [
        ("ConfigMap", {"data": {"a": 1}}, {"data": {"a": 2}}),
        (
            "Deployment",
            {"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}},
            {"spec": {"template": {"spec": {"nodeSelector": {"disk": "hdd"}}}}},
        ),
        (
            "Deployment",
            {"apiVersion": "example.com/v1", "spec": {"replicas": 1}},
            {"apiVersion": "example.com/v1", "spec": {"replicas": 2}},
        ),
    ],
)
def test_a_change_in_place_is_no_risk(kind: str, fields: Any, changed: Any) -> None:
    assert warnings(manifest(kind, "a", **fields), manifest(kind, "a", **changed)) == []


def test_changing_another_selector_is_a_risk() -> None:
    assert warnings(
        manifest("Service", "a", {"selector": {"track": "blue"}}),
        manifest("Service", "a", {"selector": {"track": "green"}}),
    ) == ["selects other pods: Service web/a, spec.selector.track"]


def test_changing_an_immutable_field_of_a_stateful_set_is_a_risk() -> None:
    (warning,) = warnings(
        manifest("StatefulSet", "a", {"ordinals": {}, "unknown": 1}),
        manifest("StatefulSet", "a", {"ordinals": {"start": 1}, "unknown": 2}),
    )
    assert warning.startswith("cannot change StatefulSet web/a")
    assert warning.endswith("spec.unknown")
