"""Actions of changed objects."""

from pathlib import Path

import yaml

from commands.diff.manifests import HIDDEN, ObjectReference, read
from tests.unit.commands.diff.manifests import manifest, report

SPEC = {"containers": [{"name": "a", "image": "i"}], "volumes": [], "restartPolicy": "Always"}


def actions(*arguments: list[dict[str, object]]) -> dict[str, str]:
    changes = report(*arguments).comparison.changes
    return {str(change.reference): change.action for change in changes}


def test_a_similar_object_with_another_name_is_renamed() -> None:
    base = [manifest("Pod", "a", SPEC), manifest("Pod", "b", {"other": [1, 2, 3, 4, 5]})]
    assert actions(base, [manifest("Pod", "c", SPEC)]) == {
        "Pod web/c": "renamed",
        "Pod web/b": "removed",
    }


def test_an_object_of_another_kind_or_content_is_not_renamed() -> None:
    base = [manifest("Pod", "a", SPEC), manifest("Service", "s", SPEC)]
    head = [manifest("Pod", "b", {"other": 1}), manifest("Job", "s", SPEC)]
    assert sorted(actions(base, head).values()) == ["added", "added", "removed", "removed"]


def test_existing_objects_are_listed_before_added_ones() -> None:
    base = [manifest("Job", "x", 1), manifest("Secret", "removed"), manifest("Service", "same")]
    head = [manifest("Pod", "added"), manifest("Job", "x", 2), manifest("Service", "same")]
    assert [*actions(base, head).values()] == ["changed", "removed", "added"]
    assert report(base, head).totals == "1 added, 1 removed, 1 changed; 1 unchanged"


def test_versions_of_an_api_group_refer_to_the_same_object() -> None:
    ingress = manifest("Ingress", "a")
    beta = {**ingress, "apiVersion": "networking.k8s.io/v1beta1"}
    other = {**ingress, "apiVersion": "example.com/v1"}
    assert ObjectReference.of(beta) == ObjectReference.of(ingress) != ObjectReference.of(other)


def test_the_values_of_secrets_are_hidden(tmp_path: Path) -> None:
    secret = manifest("Secret", "a", data={"one": "aHVudGVyMg=="}, stringData={"two": "hunter2"})
    text = f"# Values omitted: token, user\n{yaml.safe_dump(secret)}"
    (tmp_path / "secret.yaml").write_text(text)
    (content,) = read(tmp_path).values()
    assert content["stringData"] == dict.fromkeys(("one", "token", "two", "user"), HIDDEN)
    assert "data" not in content
    assert "hunter2" not in str(content)
