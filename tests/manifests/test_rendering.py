"""Rendered manifests are reproducible, complete and without secrets."""

import filecmp
import re
import shutil
import sys
from pathlib import Path

from tests.manifests.conftest import (
    CREDENTIALS,
    SECRET,
    VARIANTS,
    Variant,
    objects,
    run,
    stack_file,
)
from tests.unit.stacks import needs_example

CLUSTER_SCOPED = (
    *("ClusterDomainClaim", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"),
    "Namespace",
)

pytestmark = needs_example


def test_rendering_is_reproducible_and_removes_files_of_an_earlier_rendering(
    variant: Variant, tmp_path: Path
) -> None:
    first, second = variant("prod"), shutil.copytree(variant("prod-canary"), tmp_path / "out")
    stack = stack_file(tmp_path, *VARIANTS["prod"])
    result = run(sys.executable, "render.py", "--stack", stack, "--out", second)
    assert result.returncode == 0, result.stderr
    names = {file.name for file in first.iterdir()}
    assert names == {file.name for file in second.iterdir()}
    _, changed, unreadable = filecmp.cmpfiles(first, second, names, shallow=False)
    assert (changed, unreadable) == ([], [])


def test_no_secret_is_rendered(rendered: Path) -> None:
    text = "".join(file.read_text() for file in rendered.iterdir())
    for secret in (SECRET["secure"], CREDENTIALS["username"], "data:\n  token"):
        assert secret not in text
    for obj in objects(rendered).values():
        if obj["kind"] == "Secret":
            assert set(obj) == {"apiVersion", "kind", "metadata", "type"}


def test_namespaced_objects_are_in_a_namespace_of_the_stack(rendered: Path) -> None:
    found = objects(rendered).values()
    namespaces = {obj["metadata"]["name"] for obj in found if obj["kind"] == "Namespace"}
    for obj in found:
        is_cluster_scoped = obj["kind"] in CLUSTER_SCOPED
        # The Grafana of the cluster reads only ConfigMaps of its own namespace.
        is_dashboard = any(label.startswith("grafana_") for label in obj["metadata"]["labels"])
        if not is_cluster_scoped and not is_dashboard:
            assert obj["metadata"]["namespace"] in namespaces


def test_prod_has_also_grafana_and_certificates(variant: Variant) -> None:
    dev, prod = (
        {file.name.replace(stack, "") for file in variant(stack).iterdir()}
        for stack in ("dev", "prod")
    )
    # A bare machine has no image of Grafana, and would build cert-manager first.
    assert dev == {name for name in prod if not re.search("grafana|cert|acme|issuer", name)}
