"""The whole command, in a git repository made from the project."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.unit.commands.diff.conftest import Diff

CANARY_WORKLOAD = {
    f"{kind} beacon-canary"
    for kind in (
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "ServiceAccount",
    )
}
ADDED_CONFIG_MAP = """
from pulumi_kubernetes.core.v1 import ConfigMap

ConfigMap(
    "dashboard",
    metadata={"name": "beacon-dashboard", "namespace": settings.namespace.name},
    data={"red.json": "{}"},
)
"""


def test_a_tree_that_differs_in_nothing_changes_nothing(diff: Diff) -> None:
    compared = diff.compared()
    assert compared.objects == {}
    assert "no object changes" in compared.text


# Eight kinds of change


def test_an_image_version_changes_what_names_it(diff: Diff) -> None:
    digest = f"sha256:{'c' * 64}"
    diff.repository.replace("Pulumi.dev.yaml", "version: 0.9.0", "version: 0.9.1")
    diff.repository.replace("Pulumi.dev.yaml", f"sha256:{'b' * 64}", digest)
    compared = diff.changed()
    assert compared.objects == {
        "changed": {name.replace("canary", "stable") for name in CANARY_WORKLOAD}
    }
    assert "spec.template.spec.containers[beacon].image:" in compared.text
    assert f"+ localhost:5000/slipway/beacon:0.9.1@{digest}" in compared.text


def test_a_canary_weight_changes_one_ingress(diff: Diff) -> None:
    diff.repository.replace("Pulumi.dev.yaml", "weight: 10", "weight: 25")
    compared = diff.changed()
    assert compared.objects == {"changed": {"Ingress beacon-canary"}}
    weight = 'metadata.annotations["nginx.ingress.kubernetes.io/canary-weight"]: 10 → 25'
    assert weight in compared.text


def test_a_new_key_with_a_default_changes_nothing(diff: Diff) -> None:
    diff.repository.replace(
        "settings/network.py",
        '    proxy_namespace: DnsLabel = "ingress"\n',
        '    proxy_namespace: DnsLabel = "ingress"\n    added: bool = True\n    """New."""\n',
    )
    diff.repository.configure("dev", "network", added=True)
    assert diff.changed().objects == {}


def test_an_ended_canary_takes_its_whole_workload_along(diff: Diff) -> None:
    diff.repository.configure("dev", "release", canary=None)
    assert diff.changed().objects == {
        "removed": CANARY_WORKLOAD,
        "changed": {"Ingress beacon-canary"},
    }


def test_a_removed_component_is_called_out_where_it_routes(diff: Diff) -> None:
    diff.repository.configure("dev", "release", strategy="rolling", canary=None)
    routing = {"Service beacon-canary", "Ingress beacon-canary"}
    compared = diff.changed()
    assert compared.objects == {"removed": CANARY_WORKLOAD | routing}
    first = compared.text.index("Look at these first")
    called_out = compared.text.index("! deletes Ingress beacon-dev/beacon-canary (routing)")
    assert first < called_out < compared.text.index("\n- Ingress beacon-dev/beacon-canary")


def test_a_renamed_object_is_a_deletion_and_a_creation(diff: Diff) -> None:
    diff.repository.replace("components/namespace.py", '"name": "quota"', '"name": "allowance"')
    compared = diff.changed()
    assert compared.objects == {
        "added": {"ResourceQuota allowance"},
        "removed": {"ResourceQuota quota"},
    }
    assert "1 renamed" in compared.text
    assert (
        "deletes ResourceQuota beacon-dev/quota and creates ResourceQuota beacon-dev/all"
        in compared.text
    )


def test_a_bound_of_the_autoscaler_changes_only_that(diff: Diff) -> None:
    diff.repository.configure("dev", "autoscaling", maxReplicas=9)
    compared = diff.changed()
    assert compared.objects == {
        "changed": {
            "HorizontalPodAutoscaler beacon-canary",
            "HorizontalPodAutoscaler beacon-stable",
        }
    }
    assert "spec.maxReplicas: 10 → 9" in compared.text


def test_a_configuration_value_is_shown_as_a_difference_of_texts(diff: Diff) -> None:
    diff.repository.configure("dev", "config", message="Good morning")
    compared = diff.changed()
    assert compared.objects == {"changed": {"ConfigMap beacon-canary", "ConfigMap beacon-stable"}}
    assert 'data["config.yaml"]:' in compared.text
    assert "+ message: Good morning" in compared.text
    assert "adminListen" not in compared.text


def test_an_added_object_is_the_only_one(diff: Diff) -> None:
    diff.repository.append("__main__.py", ADDED_CONFIG_MAP)
    assert diff.changed().objects == {"added": {"ConfigMap beacon-dashboard"}}


# Code, not only configuration


def test_the_base_is_rendered_by_its_own_code(diff: Diff) -> None:
    diff.repository.replace("components/labels.py", '"slipway"', '"slip"')
    labelled = diff.compared().objects["changed"]
    base = diff.repository.commit()
    assert diff.compared(base).objects == {}
    assert diff.compared(f"{base}~1").objects == {"changed": labelled}
    assert len(labelled) > 10


def test_source_that_is_built_anew_is_noted(diff: Diff) -> None:
    diff.repository.append("app/main.go", "\n// changed\n")
    code, out, _ = diff.run()
    assert code == 0
    assert "app/ changed: the image is built anew" in out


def test_comparing_leaves_the_repository_as_it_was(diff: Diff) -> None:
    diff.repository.configure("dev", "autoscaling", maxReplicas=9)
    before = diff.repository.git("status", "--porcelain")
    diff.compared()
    assert diff.repository.git("status", "--porcelain") == before
    assert len(diff.repository.git("worktree", "list").splitlines()) == 1


# Exit codes and files


def test_differences_are_a_success_unless_asked_otherwise(diff: Diff) -> None:
    diff.repository.configure("dev", "autoscaling", maxReplicas=9)
    code, out, _ = diff.run("--format", "json")
    assert code == 0
    assert {one["kind"] for one in json.loads(out)} == {"HorizontalPodAutoscaler"}
    code, out, _ = diff.run("--exit-code")
    assert code == 1
    assert out.startswith("dev: 2 changed; ")


def test_the_file_is_written_whole_and_nothing_is_printed(diff: Diff, tmp_path: Path) -> None:
    out = tmp_path / "new" / "comment.md"
    code, printed, _ = diff.run("--format", "markdown", "--out", str(out))
    assert (code, printed) == (0, "")
    assert out.read_text().startswith("<!-- slipway-diff: dev -->\n")
    assert [file.name for file in out.parent.iterdir()] == ["comment.md"]


@pytest.mark.parametrize("fault", ["raise RuntimeError('no')", "<<<<<<< HEAD\n=======\n>>>>>>> x"])
def test_after_an_error_the_file_is_the_old_one(diff: Diff, tmp_path: Path, fault: str) -> None:
    out = tmp_path / "comment.md"
    out.write_text("old")
    diff.repository.append("__main__.py", f"\n{fault}\n")
    diff.fails("--format", "markdown", "--out", str(out))
    assert out.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["comment.md"]


# One message for each thing that can be wrong


def test_a_broken_base_is_named(diff: Diff) -> None:
    assert "BASE=no-such-branch is not a commit here" in diff.fails("--base", "no-such-branch")
    assert "BASE=--all is not a commit here" in diff.fails("--base=--all")


def test_a_stack_that_the_base_lacks_is_new(diff: Diff) -> None:
    text = (diff.repository.folder / "Pulumi.dev.yaml").read_text()
    (diff.repository.folder / "Pulumi.staging.yaml").write_text(text)
    compared = diff.compared(stack="staging")
    assert "a new stack" in compared.text
    assert "Deployment beacon-dev/beacon-stable" in compared.text
    assert set(compared.objects) == {"added"}


def test_a_stack_that_the_working_tree_lacks_is_named(diff: Diff) -> None:
    (diff.repository.folder / "Pulumi.prod.yaml").unlink()
    assert "there is no Pulumi.prod.yaml in the working tree" in diff.fails(stack="prod")
    assert "is not a stack's name" in diff.fails(stack="../dev")


def test_a_merge_conflict_is_named_with_its_line(diff: Diff) -> None:
    diff.repository.append("Pulumi.dev.yaml", "<<<<<<< HEAD\n=======\n>>>>>>> other\n")
    message = diff.fails()
    assert "Pulumi.dev.yaml of the working tree cannot be rendered" in message
    assert "is a merge conflict: resolve it" in message
    broken = diff.repository.commit()
    diff.repository.reset(f"{broken}~1")
    assert f"Pulumi.dev.yaml at BASE={broken} cannot be" in diff.fails("--base", broken)


def test_a_bad_setting_is_named(diff: Diff) -> None:
    diff.repository.configure("dev", "autoscaling", maxReplicas=0)
    assert "slipway:autoscaling.maxReplicas is 0" in diff.fails()


def test_a_program_error_is_named_with_its_line_on_either_side(diff: Diff) -> None:
    length = len((diff.repository.folder / "__main__.py").read_text().splitlines())
    diff.repository.append("__main__.py", "raise ValueError('twice')\n")
    assert f"ValueError: twice (__main__.py:{length + 1})" in diff.fails()
    broken = diff.repository.commit()
    diff.repository.reset(f"{broken}~1")
    message = diff.fails("--base", broken)
    assert f"at BASE={broken} cannot be rendered: ValueError: twice (__main__.py:" in message


def test_a_conflict_in_the_program_is_named(diff: Diff) -> None:
    diff.repository.append("settings/network.py", "<<<<<<< HEAD\n=======\n>>>>>>> other\n")
    assert "is a merge conflict: resolve it" in diff.fails()


def test_a_base_from_before_rendering_is_named(diff: Diff) -> None:
    (diff.repository.folder / "render.py").unlink()
    old = diff.repository.commit()
    diff.repository.reset(f"{old}~1")
    assert "has no render.py" in diff.fails("--base", old)


def test_the_target_of_make_passes_everything_on(diff: Diff, tmp_path: Path) -> None:
    diff.repository.configure("dev", "autoscaling", maxReplicas=9)
    checkout = Path(__file__).resolve().parents[4]
    out = tmp_path / "comment.md"
    printed = subprocess.run(
        ["make", "-s", "-n", "diff", "STACK=prod", "BASE=main", "FORMAT=markdown", f"OUT={out}"],
        cwd=checkout,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert f"--stack='prod' --base='main' --format='markdown' --out='{out}'" in printed
    plain = subprocess.run(
        ["make", "-s", "-n", "diff"], cwd=checkout, check=True, capture_output=True, text=True
    ).stdout
    assert "--out" not in plain
