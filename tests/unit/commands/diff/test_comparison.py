"""What becomes of objects, and what is called out."""

import pytest

from tests.unit.commands.diff.samples import compared, sample

LABELS = {"matchLabels": {"app": "a"}}
OTHER_LABELS = {"matchLabels": {"app": "b"}}
TEMPLATE = {"containers": [{"name": "a", "image": "i"}], "volumes": [], "restartPolicy": "Always"}


@pytest.mark.parametrize(
    "kind",
    [
        *("StatefulSet", "PersistentVolumeClaim", "Service", "Ingress", "HTTPRoute"),
        *("Namespace", "Secret"),
    ],
)
def test_the_deletion_of_what_holds_state_or_routes_is_called_out(kind: str) -> None:
    (warning,) = compared([sample(kind, "a")], []).warnings
    assert warning.startswith(f"deletes {kind} ")


def test_other_deletions_and_additions_are_not() -> None:
    assert not compared([sample("ConfigMap", "a")], [sample("Service", "b")]).warnings


def test_a_change_of_an_immutable_field_replaces() -> None:
    comparison = compared(
        [sample("Deployment", "a", {"selector": LABELS})],
        [sample("Deployment", "a", {"selector": OTHER_LABELS})],
    )
    (warning,) = comparison.warnings
    assert warning.startswith("replaces Deployment web/a: spec.selector.matchLabels.app")
    assert "1 of them replaced" in comparison.totals


def test_a_change_of_another_selector_is_called_out() -> None:
    (warning,) = compared(
        [sample("Service", "a", {"selector": {"track": "blue"}})],
        [sample("Service", "a", {"selector": {"track": "green"}})],
    ).warnings
    assert warning == "selects other pods: Service web/a, spec.selector.track"


def test_a_change_that_the_api_server_refuses_is_called_out() -> None:
    (warning,) = compared(
        [sample("StatefulSet", "a", {"ordinals": {}, "serviceName": "x", "unknown": 1})],
        [sample("StatefulSet", "a", {"ordinals": {"start": 1}, "serviceName": "x", "unknown": 2})],
    ).warnings
    assert warning.startswith("cannot change StatefulSet web/a")
    assert warning.endswith("spec.unknown")


def test_a_node_selector_selects_no_pods() -> None:
    assert not compared(
        [sample("Deployment", "a", {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}})],
        [sample("Deployment", "a", {"template": {"spec": {"nodeSelector": {"disk": "hdd"}}}})],
    ).warnings


def test_what_is_alike_under_another_name_is_a_rename() -> None:
    comparison = compared(
        [sample("Deployment", "a", TEMPLATE), sample("Deployment", "b", {"other": [1, 2, 3, 4]})],
        [sample("Deployment", "c", TEMPLATE)],
    )
    assert {str(c.identity): c.action for c in comparison.changes} == {
        "Deployment web/c": "renamed",
        "Deployment web/b": "removed",
    }
    assert comparison.totals == "1 removed, 1 renamed; 0 unchanged"


def test_what_is_not_alike_is_a_deletion_and_an_addition() -> None:
    comparison = compared([sample("Job", "a", TEMPLATE)], [sample("Job", "b", {"other": 1})])
    assert sorted(change.action for change in comparison.changes) == ["added", "removed"]


def test_nothing_is_a_rename_of_another_kind() -> None:
    comparison = compared([sample("Service", "a", TEMPLATE)], [sample("Job", "b", TEMPLATE)])
    assert comparison.count("renamed") == 0


def test_the_totals_count_every_object_once() -> None:
    same, old, new = sample("Service", "same"), sample("Job", "x", 1), sample("Job", "x", 2)
    comparison = compared([same, old, sample("Secret", "gone")], [same, new, sample("Pod", "come")])
    assert comparison.totals == "1 added, 1 removed, 1 changed; 1 unchanged"


def test_what_runs_already_is_shown_before_what_is_new() -> None:
    old, new = sample("Job", "x", 1), sample("Job", "x", 2)
    changes = compared([old, sample("Secret", "gone")], [sample("Pod", "come"), new]).changes
    assert [change.action for change in changes] == ["changed", "removed", "added"]
