"""What every rendering is: the same each time, complete, and without a secret."""

import filecmp
import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.manifests.conftest import LOGIN, SECRET, VARIANTS, Variant, render, stack_file


def test_two_runs_write_the_same_bytes(variant: Variant, tmp_path: Path) -> None:
    first, second = variant("prod-canary"), tmp_path / "out"
    assert render(stack_file(tmp_path, *VARIANTS["prod-canary"]), second).returncode == 0
    compared = filecmp.dircmp(first, second)
    assert compared.left_only == compared.right_only == []
    names = [path.name for path in first.iterdir()]
    match, mismatch, errors = filecmp.cmpfiles(first, second, names, shallow=False)
    assert (mismatch, errors) == ([], [])
    assert len(match) == len(names)


def test_rendering_over_an_earlier_one_leaves_what_a_fresh_one_has(
    variant: Variant, tmp_path: Path
) -> None:
    out = shutil.copytree(variant("prod-canary"), tmp_path / "out")
    assert render(stack_file(tmp_path, *VARIANTS["prod"]), out).returncode == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(
        path.name for path in variant("prod").iterdir()
    )


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


def is_for_the_clusters_grafana(one: Any) -> bool:
    """It reads nothing but ConfigMaps of its own namespace."""
    return any(label.startswith("grafana_") for label in one["metadata"]["labels"])


def test_every_object_is_in_a_namespace_of_the_stacks(rendered: Path) -> None:
    objects = [yaml.safe_load(file.read_text()) for file in rendered.glob("*.yaml")]
    namespaces = {one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"}
    for one in objects:
        is_global = one["kind"] in {"Namespace", "ClusterRole", "ClusterRoleBinding"}
        if not is_global and not is_for_the_clusters_grafana(one):
            assert one["metadata"]["namespace"] in namespaces


def test_dev_and_prod_are_the_same_objects_but_for_grafana(variant: Variant) -> None:
    names = []
    for stack in ("dev", "prod"):
        assert VARIANTS[stack] == (stack, {})
        names.append({file.name.replace(stack, "") for file in variant(stack).iterdir()})
    # A bare machine has no image of it.
    assert names[0] == {name for name in names[1] if "grafana" not in name}
