"""Objects, and the fields that were applied, get another owner."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import change_owner
from commands.change_owner import fields_of_engine, released_fields
from commands.errors import BAD_INPUT, FAILED
from render import RenderedObject
from tests.unit.commands.fake_kubectl import Cluster
from tests.unit.stacks import DIGEST, HELLO, sections

ARGOCD = "argocd-controller"
DELIVERY = {"repository": "https://git.example.com/a.git", "path": "environments/test"}


def entry(manager: str, fields: Any, operation: str = "Apply", **others: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **others}


SCALED = entry("kube-controller-manager", {"f:status": {}}, "Update", subresource="status")
PULUMI = entry("pulumi-kubernetes-1a2b", {"f:spec": {"f:a": {}}})


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ([PULUMI, SCALED], [{**PULUMI, "manager": ARGOCD}, SCALED]),
        (
            [PULUMI, entry(ARGOCD, {"f:spec": {"f:b": {}}})],
            [entry(ARGOCD, {"f:spec": {"f:a": {}, "f:b": {}}})],
        ),
        ([SCALED], [SCALED]),
    ],
)
def test_argo_cd_has_the_fields_that_pulumi_applied(fields: Any, changed: Any) -> None:
    assert fields_of_engine(fields, ARGOCD) == changed
    assert fields_of_engine(changed, ARGOCD) == changed, "it can be interrupted and run again"


def test_argo_cd_does_not_have_the_replicas_that_it_would_reset() -> None:
    fields = [entry("pulumi-kubernetes-1a2b", {"f:spec": {"f:replicas": {}, "f:a": {}}})]
    (owned,) = fields_of_engine(fields, ARGOCD, ["spec.replicas", "spec.absent.b"])
    assert owned["fieldsV1"] == {"f:spec": {"f:a": {}}}


@pytest.mark.parametrize(
    ("ignored", "spec"), [([], {}), (["spec.replicas"], {"f:spec": {"f:replicas": {}}})]
)
def test_pulumi_conflicts_with_nothing_but_the_number_of_pods(ignored: Any, spec: Any) -> None:
    fields = [entry(ARGOCD, {"f:spec": {"f:template": {}}}), SCALED]
    label = {"f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}}}
    changed = released_fields(fields, ignored)
    assert changed == [entry("slipway", {**label, **spec}), SCALED]
    assert released_fields(changed, ignored) == changed, "it can be interrupted and run again"


@pytest.fixture
def run(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Returns a function that changes the owner of a stack with a mode; returns the exit code."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    shop = {"name": "shop", "namespace": "prod"}
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": shop}
    rendered = RenderedObject("shop.yaml", manifest, frozenset(), (), False)
    monkeypatch.setattr(change_owner, "objects_of", lambda _: [rendered])
    monkeypatch.setattr(change_owner.Prerequisites, "prepare_cli", lambda _: None)
    monkeypatch.setattr(
        change_owner.Prerequisites,
        "variables",
        lambda _: {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
    )
    monkeypatch.setattr(change_owner.Stack, "forget", lambda _: (tmp_path / "forgotten").touch())

    def run_in_mode(mode: str) -> int:
        release = {"stable": {"version": "1.0.0", "digest": DIGEST}}
        stack = sections(source=HELLO, release=release, delivery={"mode": mode, **DELIVERY})
        text = yaml.safe_dump({"config": {f"slipway:{k}": v for k, v in stack.items()}})
        (tmp_path / "Pulumi.test.yaml").write_text(text)
        return change_owner.main(["--stack=test"])

    return run_in_mode


def calls(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def test_pulumi_forgets_the_objects_that_argo_cd_gets(run: Any, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    live = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "shop",
            "namespace": "prod",
            "resourceVersion": "7",
            "managedFields": [PULUMI],
        },
    }
    cluster.kubectl_prints("get --show-managed-fields", json.dumps({"items": [live]}))
    assert run("gitops") == 0
    assert (tmp_path / "forgotten").exists()
    *_, patch = calls(tmp_path)
    assert patch[:4] == ["patch", "Deployment.v1.apps", "shop", "--namespace"]
    test, replace = json.loads(patch[patch.index("--patch") + 1])
    assert test["value"] == "7"
    assert replace["value"] == [{**PULUMI, "manager": ARGOCD}]


def test_an_object_that_changes_meanwhile_is_read_again(run: Any, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    metadata = {"name": "shop", "namespace": "prod", "resourceVersion": "7"}
    live = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**metadata, "managedFields": [PULUMI]},
    }
    cluster.kubectl_prints("get --show-managed-fields", json.dumps({"items": [live]}))
    cluster.kubectl_prints("patch", "", "the request is invalid", 1)
    assert run("gitops") == FAILED
    assert [call[0] for call in calls(tmp_path)] == ["get", "patch"] * 3


def test_pulumi_gets_nothing_while_an_application_syncs_it(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    application = json.dumps({"kind": "Application"})
    Cluster(tmp_path).kubectl_prints("get applications.argoproj.io", application)
    assert run("pulumi") == BAD_INPUT
    assert "Argo CD still syncs the stack: `kubectl delete applications" in capsys.readouterr().err
    assert [call[:2] for call in calls(tmp_path)] == [["get", "applications.argoproj.io"]]
    assert not (tmp_path / "forgotten").exists()
