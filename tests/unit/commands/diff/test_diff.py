"""The command in a git repository with the project."""

import json
import subprocess
from pathlib import Path

import pytest

from commands.diff import __main__ as command
from commands.diff.rendering import Renderings, render_both
from commands.diff.report import Report
from commands.diff.terminal import plain
from settings import stack_file
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


@pytest.fixture(scope="module")
def renderings(base: tuple[Repository, str]) -> Renderings:
    """Of a working tree with edited settings, code and sources."""
    repository, commit = base
    repository.configure("dev", "config", message="Good morning")
    repository.configure("dev", "autoscaling", maxReplicas=9)
    for old, new in (("weight: 10", "weight: 25"), ("b" * 64, "c" * 64)):
        repository.replace("Pulumi.dev.yaml", old, new)
    repository.replace("components/namespace.py", '"name": "quota"', '"name": "allowance"')
    repository.append("__main__.py", ADDED_CONFIG_MAP)
    repository.append("app/main.go", "\n// changed\n")
    status = repository.git("status", "--porcelain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack_file, "PROJECT_FOLDER", repository.folder)
        found = render_both("dev", "HEAD")
    assert repository.git("status", "--porcelain") == status
    assert len(repository.git("worktree", "list").splitlines()) == 1
    repository.reset(commit)
    return found


@pytest.fixture
def changes(renderings: Renderings, monkeypatch: pytest.MonkeyPatch) -> Report:
    """The report on the edited working tree, also of the command."""
    monkeypatch.setattr(command, "render_both", lambda *_: renderings)
    return Report(renderings)


def by_action(report: Report) -> dict[str, set[str]]:
    """Objects by action."""
    objects: dict[str, set[str]] = {}
    for change in report.comparison.as_data():
        objects.setdefault(change["action"], set()).add(f"{change['kind']} {change['name']}")
    return objects


def error_of(diff: RunDiff, *arguments: str | Path) -> str:
    code, out, error = diff(*arguments)
    assert (code, out) == (2, "")
    assert error.startswith("error: ")
    assert "Traceback" not in error
    return error


def test_changed_objects_are_shown_field_by_field(changes: Report) -> None:
    """Of a base that is rendered with its own code."""
    workloads = {
        f"{kind} beacon-{track}"
        for kind in ("ConfigMap", "HorizontalPodAutoscaler")
        for track in ("stable", "canary")
    }
    assert by_action(changes) == {
        "changed": {"Deployment beacon-stable", "Ingress beacon-weighted", *workloads},
        "added": {"ConfigMap beacon-dashboard", "ResourceQuota allowance"},
        "removed": {"ResourceQuota quota"},
    }
    text = plain(changes)
    for line in (
        'metadata.annotations["nginx.ingress.kubernetes.io/canary-weight"]: 10 → 25',
        "spec.maxReplicas: 10 → 9",
        'data["config.yaml"]:',
        "+ message: Good morning",
        "deletes ResourceQuota beacon-dev/quota and creates ResourceQuota beacon-dev/allowance",
        "spec.template.spec.containers[beacon].image:",
        f"+ localhost:5000/slipway/beacon:0.9.0@sha256:{'c' * 64}",
    ):
        assert line in text
    assert "adminListen" not in text


def test_a_removed_route_is_a_risky_change_and_a_new_setting_with_its_default_is_none(
    repository: Repository,
) -> None:
    repository.configure("dev", "release", strategy="rolling", canary=None)
    repository.replace(
        "settings/network.py",
        '    proxy_namespace: DnsLabel = "ingress"\n',
        '    proxy_namespace: DnsLabel = "ingress"\n    added: bool = True\n    """New."""\n',
    )
    repository.configure("dev", "network", added=True)
    report = Report(render_both("dev", "HEAD"))
    objects, text = by_action(report), plain(report)
    assert [*objects] == ["removed"]
    assert {"Deployment beacon-canary", "Ingress beacon-weighted"} < objects["removed"]
    risk = text.index("! deletes Ingress beacon-dev/beacon-weighted (routing)")
    assert text.index("Risky changes") < risk < text.index("\n- Ingress beacon-dev/beacon-weighted")


def test_changes_are_an_error_with_exit_code_only(changes: Report, diff: RunDiff) -> None:
    code, out, _ = diff("--format", "json", "--exit-code")
    assert code == 1
    assert json.loads(out) == changes.comparison.as_data()


def test_a_report_is_written_to_a_file(changes: Report, diff: RunDiff, tmp_path: Path) -> None:
    out = tmp_path / "new" / "comment.md"
    assert diff("--format", "markdown", "--out", out)[:2] == (0, "")
    text = out.read_text()
    assert text.startswith(f"### Rendered manifests of `dev`: {changes.totals}")
    assert "app/ changed: its image is built again" in text
    assert [file.name for file in out.parent.iterdir()] == ["comment.md"]


def test_a_stack_that_the_base_does_not_have_is_new(repository: Repository, diff: RunDiff) -> None:
    text = (repository.folder / "Pulumi.dev.yaml").read_text()
    (repository.folder / "Pulumi.staging.yaml").write_text(text)
    code, out, _ = diff("--stack", "staging")
    assert code == 0
    assert "a new stack" in out
    assert "+ Deployment beacon-dev/beacon-stable" in out


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


def test_an_error_of_the_working_tree_is_shown_with_its_place_and_keeps_the_report(
    repository: Repository, diff: RunDiff, tmp_path: Path
) -> None:
    out = tmp_path / "comment.md"
    out.write_text("old")
    (repository.folder / "Pulumi.dev.yaml").rename(repository.folder / "Pulumi.staging.yaml")
    (repository.folder / "__main__.py").write_text("raise ValueError('twice')\n")
    error = error_of(diff, "--stack", "staging", "--format", "markdown", "--out", out)
    assert "Pulumi.staging.yaml of the working tree cannot be rendered: " in error
    assert "ValueError: twice (__main__.py:1)" in error
    assert out.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["comment.md"]


def test_an_error_of_the_base_is_shown_with_its_key(repository: Repository, diff: RunDiff) -> None:
    repository.append("Pulumi.dev.yaml", "  slipway:network: {proxyNamespace: 0}\n")
    invalid = repository.commit()
    error = error_of(diff, "--base", invalid)
    assert f"Pulumi.dev.yaml at BASE={invalid} cannot be rendered: " in error
    assert "slipway:network" in error


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
