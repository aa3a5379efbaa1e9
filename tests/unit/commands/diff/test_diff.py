"""The command in a git repository with the project."""

import json
import subprocess
from pathlib import Path

import pytest

from commands.diff.rendering import render_both
from commands.diff.report import Report
from commands.diff.terminal import plain
from tests.unit.commands.diff.conftest import RunDiff
from tests.unit.commands.repository import CHECKOUT, Repository

ADDED_CONFIG_MAP = """
from pulumi_kubernetes.core.v1 import ConfigMap

ConfigMap(
    "dashboard",
    metadata={"name": "beacon-dashboard", "namespace": settings.namespace.name},
    data={"red.json": "{}"},
)
"""


def compare(base: str = "HEAD", stack: str = "dev") -> tuple[dict[str, set[str]], str]:
    """Objects by action, and the full report."""
    report = Report(render_both(stack, base))
    objects: dict[str, set[str]] = {}
    for change in report.comparison.as_data():
        objects.setdefault(change["action"], set()).add(f"{change['kind']} {change['name']}")
    return objects, plain(report)


def error_of(diff: RunDiff, *arguments: str | Path) -> str:
    code, out, error = diff(*arguments)
    assert (code, out) == (2, "")
    assert error.startswith("error: ")
    assert "Traceback" not in error
    return error


def test_a_new_setting_with_its_default_changes_no_object(repository: Repository) -> None:
    repository.replace(
        "settings/network.py",
        '    proxy_namespace: DnsLabel = "ingress"\n',
        '    proxy_namespace: DnsLabel = "ingress"\n    added: bool = True\n    """New."""\n',
    )
    repository.configure("dev", "network", added=True)
    objects, text = compare()
    assert objects == {}
    assert "no object changes" in text


def test_changed_objects_are_shown_field_by_field(repository: Repository) -> None:
    repository.configure("dev", "config", message="Good morning")
    repository.configure("dev", "autoscaling", maxReplicas=9)
    repository.replace("Pulumi.dev.yaml", "weight: 10", "weight: 25")
    repository.replace("components/namespace.py", '"name": "quota"', '"name": "allowance"')
    repository.append("__main__.py", ADDED_CONFIG_MAP)
    status = repository.git("status", "--porcelain")
    objects, text = compare()
    workloads = {
        f"{kind} beacon-{track}"
        for kind in ("ConfigMap", "HorizontalPodAutoscaler")
        for track in ("stable", "canary")
    }
    assert objects == {
        "changed": {"Ingress beacon-weighted", *workloads},
        "added": {"ConfigMap beacon-dashboard", "ResourceQuota allowance"},
        "removed": {"ResourceQuota quota"},
    }
    for line in (
        'metadata.annotations["nginx.ingress.kubernetes.io/canary-weight"]: 10 → 25',
        "spec.maxReplicas: 10 → 9",
        'data["config.yaml"]:',
        "+ message: Good morning",
        "deletes ResourceQuota beacon-dev/quota and creates ResourceQuota beacon-dev/allowance",
    ):
        assert line in text
    assert "adminListen" not in text
    assert repository.git("status", "--porcelain") == status
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_an_image_is_shown_in_the_container_of_its_name(repository: Repository) -> None:
    digest = f"sha256:{'c' * 64}"
    repository.replace("Pulumi.dev.yaml", "version: 0.9.0", "version: 0.9.1")
    repository.replace("Pulumi.dev.yaml", f"sha256:{'b' * 64}", digest)
    _, text = compare()
    assert "spec.template.spec.containers[beacon].image:" in text
    assert f"+ localhost:5000/slipway/beacon:0.9.1@{digest}" in text


def test_a_removed_route_is_listed_among_the_risky_changes(repository: Repository) -> None:
    repository.configure("dev", "release", strategy="rolling", canary=None)
    objects, text = compare()
    assert [*objects] == ["removed"]
    assert {"Deployment beacon-canary", "Ingress beacon-weighted"} < objects["removed"]
    risk = text.index("! deletes Ingress beacon-dev/beacon-weighted (routing)")
    assert text.index("Risky changes") < risk < text.index("\n- Ingress beacon-dev/beacon-weighted")


def test_the_base_is_rendered_with_its_own_code(repository: Repository) -> None:
    repository.replace("components/labels.py", '"slipway"', '"slip"')
    assert len(compare(f"{repository.commit()}~1")[0]["changed"]) > 10


def test_changes_are_an_error_with_exit_code_only(repository: Repository, diff: RunDiff) -> None:
    repository.configure("dev", "autoscaling", maxReplicas=9)
    code, out, _ = diff("--format", "json", "--exit-code")
    assert code == 1
    assert {change["kind"] for change in json.loads(out)} == {"HorizontalPodAutoscaler"}


def test_a_report_is_written_to_a_file(
    repository: Repository, diff: RunDiff, tmp_path: Path
) -> None:
    repository.configure("dev", "autoscaling", maxReplicas=9)
    repository.append("app/main.go", "\n// changed\n")
    out = tmp_path / "new" / "comment.md"
    assert diff("--format", "markdown", "--out", out)[:2] == (0, "")
    text = out.read_text()
    assert text.startswith("### Rendered manifests of `dev`: 2 changed; ")
    assert "app/ changed: its image is built again" in text
    assert [file.name for file in out.parent.iterdir()] == ["comment.md"]


def test_a_report_is_unchanged_on_an_error(
    repository: Repository, diff: RunDiff, tmp_path: Path
) -> None:
    out = tmp_path / "comment.md"
    out.write_text("old")
    repository.append("__main__.py", "\nraise RuntimeError('no')\n")
    error_of(diff, "--format", "markdown", "--out", out)
    assert out.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["comment.md"]


def test_a_stack_that_the_base_does_not_have_is_new(repository: Repository) -> None:
    text = (repository.folder / "Pulumi.dev.yaml").read_text()
    (repository.folder / "Pulumi.staging.yaml").write_text(text)
    objects, text = compare(stack="staging")
    assert "a new stack" in text
    assert set(objects) == {"added"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--base", "no-such-branch"], "BASE=no-such-branch is not a commit here"),
        (["--base=--all"], "BASE=--all is not a commit here"),
        (["--stack", "staging"], "there is no Pulumi.staging.yaml in the working tree"),
        (["--stack", "../dev"], "is not a stack's name"),
        (["--format", "xml"], "FORMAT=xml is not a format: use terminal, markdown, json"),
    ],
)
def test_a_wrong_argument_is_an_error(diff: RunDiff, arguments: list[str], message: str) -> None:
    assert message in error_of(diff, *arguments)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("__main__.py", "raise ValueError('twice')\n", "ValueError: twice (__main__.py:"),
        ("Pulumi.dev.yaml", "  slipway:network: {proxyNamespace: 0}\n", "slipway:network"),
    ],
)
def test_an_error_of_either_rendering_is_shown_with_its_place(
    repository: Repository, diff: RunDiff, file: str, text: str, message: str
) -> None:
    repository.append(file, text)
    error = error_of(diff)
    assert "Pulumi.dev.yaml of the working tree cannot be rendered" in error
    assert message in error
    invalid = repository.commit()
    repository.reset(f"{invalid}~1")
    error = error_of(diff, "--base", invalid)
    assert f"Pulumi.dev.yaml at BASE={invalid} cannot be rendered" in error
    assert message in error


def test_a_base_without_the_renderer_is_an_error(repository: Repository, diff: RunDiff) -> None:
    (repository.folder / "render.py").unlink()
    old = repository.commit()
    repository.reset(f"{old}~1")
    assert "has no render.py" in error_of(diff, "--base", old)


def test_make_passes_its_variables_to_the_command() -> None:
    variables = ("STACK=prod", "BASE=main", "FORMAT=markdown", "OUT=comment.md")
    printed = subprocess.run(
        ["make", "-s", "-n", "diff", *variables],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "--stack='prod' --base='main' --format='markdown' --out='comment.md'" in printed
