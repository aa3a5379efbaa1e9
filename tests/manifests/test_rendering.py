"""What every rendering is: the same each time, complete, and without a secret."""

import filecmp
from pathlib import Path

import yaml

from tests.manifests.conftest import CANARY, LOGIN, SECRET, VARIANTS, render, stack_file


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    stack = stack_file(tmp_path, "prod", {"release": CANARY})
    for out in ("one", "two"):
        assert render(stack, tmp_path / out).returncode == 0
    compared = filecmp.dircmp(tmp_path / "one", tmp_path / "two")
    assert compared.left_only == compared.right_only == []
    names = [path.name for path in (tmp_path / "one").iterdir()]
    match, mismatch, errors = filecmp.cmpfiles(
        tmp_path / "one", tmp_path / "two", names, shallow=False
    )
    assert (mismatch, errors) == ([], [])
    assert len(match) == len(names)


def test_rendering_over_an_earlier_one_leaves_what_a_fresh_one_has(tmp_path: Path) -> None:
    stack = stack_file(tmp_path, "prod", {"release": CANARY})
    assert render(stack, tmp_path / "out").returncode == 0
    stack = stack_file(tmp_path, "prod", {})
    for out in ("out", "fresh"):
        assert render(stack, tmp_path / out).returncode == 0
    names = [sorted(path.name for path in (tmp_path / out).iterdir()) for out in ("out", "fresh")]
    assert names[0] == names[1]


def test_no_secret_is_in_it(rendered: Path) -> None:
    text = "".join(file.read_text() for file in rendered.iterdir())
    for hidden in (
        *LOGIN["password"].values(),
        *SECRET.values(),
        LOGIN["username"],
        "data:\n  token",
    ):
        assert hidden not in text
    for file in rendered.glob("*-secret-*.yaml"):
        assert set(yaml.safe_load(file.read_text())) == {"apiVersion", "kind", "metadata", "type"}


def test_every_image_of_the_services_is_a_digest(rendered: Path) -> None:
    for file in rendered.glob("40-deployment-*.yaml"):
        pod = yaml.safe_load(file.read_text())["spec"]["template"]["spec"]
        for container in pod["containers"]:
            assert "@sha256:" in container["image"]


def test_every_object_is_in_a_namespace_of_the_stacks(rendered: Path) -> None:
    objects = [yaml.safe_load(file.read_text()) for file in rendered.glob("*.yaml")]
    namespaces = {one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"}
    for one in objects:
        if one["kind"] not in {"Namespace", "ClusterRole", "ClusterRoleBinding"}:
            assert one["metadata"]["namespace"] in namespaces


def test_dev_and_prod_are_the_same_objects_but_for_grafana(tmp_path: Path) -> None:
    names = []
    for stack in ("dev", "prod"):
        assert VARIANTS[stack] == (stack, {})
        assert render(stack, tmp_path / stack).returncode == 0
        names.append({file.name.replace(stack, "") for file in (tmp_path / stack).iterdir()})
    # A bare machine has no image of it.
    assert names[0] == {name for name in names[1] if "grafana" not in name}
