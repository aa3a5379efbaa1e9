"""Rendered objects: who they are, and what is hidden."""

from pathlib import Path

from commands.diff.objects import HIDDEN, identity_of
from tests.unit.commands.diff.samples import sample, text_of, written


def test_versions_of_one_api_group_are_the_same_object() -> None:
    old = {**sample("Ingress", "a"), "apiVersion": "networking.k8s.io/v1beta1"}
    assert identity_of(old) == identity_of(sample("Ingress", "a"))
    other = {**sample("Ingress", "a"), "apiVersion": "example.com/v1"}
    assert identity_of(other) != identity_of(sample("Ingress", "a"))


def test_values_of_secrets_are_hidden_wherever_they_stand(tmp_path: Path) -> None:
    secret = sample("Secret", "a", data={"one": "aHVudGVyMg=="}, stringData={"two": "hunter2"})
    (content,) = written(tmp_path, text_of(secret)).values()
    assert content["stringData"] == {"one": HIDDEN, "two": HIDDEN}
    assert "data" not in content
    assert "hunter2" not in str(content)


def test_the_keys_of_left_out_values_are_known(tmp_path: Path) -> None:
    text = f"# The values are left out, of: token, user\n{text_of(sample('Secret', 'a'))}"
    (content,) = written(tmp_path, text).values()
    assert content["stringData"] == {"token": HIDDEN, "user": HIDDEN}
