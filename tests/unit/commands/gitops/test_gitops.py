"""The folder that an engine syncs: manifests, and the object that syncs them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.errors import BAD_INPUT
from commands.gitops import __main__ as gitops
from commands.gitops.stacks import main as print_stacks
from tests.unit.stacks import BLUE_GREEN, DIGEST, HELLO, changed, sections

DELIVERY = {
    "mode": "gitops",
    "repository": "https://git.example.com/environments.git",
    "path": "environments/test",
}
PUBLISHED = {"stable": {"version": "1.0.0", "digest": DIGEST}}


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """Returns a function that writes the folder of a stack with changes; returns the exit code."""

    def write(**changes: Any) -> int:
        release = changed(PUBLISHED, changes.pop("release", {}))
        delivery = {**DELIVERY, **changes.pop("delivery", {})}
        stack = sections(**{"source": HELLO, "release": release, "delivery": delivery, **changes})
        file = tmp_path / "Pulumi.test.yaml"
        file.write_text(yaml.safe_dump({"config": {f"slipway:{k}": v for k, v in stack.items()}}))
        out = str(tmp_path / "out")
        return gitops.main([f"--stack={file}", f"--out={out}", f"--diff={tmp_path / 'diff.md'}"])

    return write


def sync_objects(folder: Path) -> list[Any]:
    return [*yaml.safe_load_all((folder / "out" / "sync.yaml").read_text())]


def manifest(folder: Path, name: str) -> Any:
    return yaml.safe_load((folder / "out" / "manifests" / name).read_text())


def test_an_application_syncs_the_folder_of_the_manifests(written: Any, tmp_path: Path) -> None:
    assert written(delivery={"revision": "release", "prune": False, "retries": 2}) == 0
    (application,) = sync_objects(tmp_path)
    spec = application["spec"]
    assert spec["source"] == {
        "repoURL": DELIVERY["repository"],
        "targetRevision": "release",
        "path": "environments/test/manifests",
    }
    assert spec["destination"] == {"name": "in-cluster", "namespace": "beacon-test"}
    assert spec["syncPolicy"]["automated"] == {"prune": False, "selfHeal": True}
    assert spec["syncPolicy"]["retry"]["limit"] == 2
    # A sync waits for the health of what it applies, and an Ingress may never get an address.
    assert "ApplyOutOfSyncOnly=true" in spec["syncPolicy"]["syncOptions"]
    assert "ignoreDifferences" not in spec
    assert "finalizers" not in application["metadata"], "its deletion would delete the objects"


def test_argo_cd_keeps_data_and_prunes_what_routes_need_last(written: Any, tmp_path: Path) -> None:
    written()

    def options(name: str) -> str | None:
        annotations = manifest(tmp_path, name)["metadata"]["annotations"]
        return annotations.get("argocd.argoproj.io/sync-options")

    assert options("00-namespace-beacon-test.yaml") == "Prune=false,Delete=false"
    assert options("40-deployment-beacon-stable.yaml") == "PruneLast=true"
    assert options("60-ingress-beacon.yaml") is None


def test_argo_cd_ignores_the_health_of_an_ingress_that_gets_no_address(
    written: Any, tmp_path: Path
) -> None:
    canary = {"version": "1.1.0", "digest": DIGEST, "weight": 10}
    assert written(release={"strategy": "canary", "canary": canary}) == 0
    ignored = "argocd.argoproj.io/ignore-healthcheck"
    for name, is_ignored in (("beacon", False), ("beacon-weighted", True)):
        metadata = manifest(tmp_path, f"60-ingress-{name}.yaml")["metadata"]
        assert (ignored in metadata["annotations"]) == is_ignored


def test_the_ingress_of_an_ended_canary_is_pruned_before_the_canary(
    written: Any, tmp_path: Path
) -> None:
    # Argo CD would await the address of a changed Ingress before it deletes the canary.
    def ingresses() -> dict[str, str]:
        files = (tmp_path / "out" / "manifests").glob("60-ingress-*")
        return {file.name: file.read_text() for file in files}

    canary = {"version": "1.1.0", "digest": DIGEST, "weight": 10}
    assert written(release={"strategy": "canary", "canary": canary}) == 0
    running = ingresses()
    assert written(release={"strategy": "canary"}) == 0
    del running["60-ingress-beacon-weighted.yaml"]
    assert ingresses() == running


def test_what_the_program_leaves_in_the_cluster_is_no_difference(
    written: Any, tmp_path: Path
) -> None:
    job = {"beforeStart": {"command": ["/migrate"]}, "idle": {"digest": DIGEST}}
    assert written(release=changed(BLUE_GREEN, job)) == 0
    (application,) = sync_objects(tmp_path)
    # The Job of the replaced version has ended. An HPA's replicas are not in the manifests.
    assert application["spec"]["ignoreDifferences"] == [
        {
            "group": "batch",
            "kind": "Job",
            "namespace": "beacon-test",
            "name": "beacon-before-start-1-0-0",
            "jsonPointers": ["/spec"],
        }
    ]
    assert "RespectIgnoreDifferences=true" in application["spec"]["syncPolicy"]["syncOptions"]


@pytest.mark.parametrize(
    ("delivery", "kind", "reference"),
    [
        ({"revision": "main"}, "GitRepository", {"branch": "main"}),
        ({"revision": "refs/tags/v1"}, "GitRepository", {"name": "refs/tags/v1"}),
        (
            {"repository": "oci://registry.example.com/prod", "revision": "v1"},
            "OCIRepository",
            {"tag": "v1"},
        ),
    ],
)
def test_a_kustomization_of_flux_syncs_the_manifests_and_deletes_nothing_with_itself(
    written: Any, tmp_path: Path, delivery: Any, kind: str, reference: Any
) -> None:
    flux = {"secretName": "git", "serviceAccountName": "deployer"}
    assert written(delivery={"engine": "flux", "flux": flux, **delivery}) == 0
    source, kustomization = sync_objects(tmp_path)
    assert (source["kind"], source["spec"]["ref"]) == (kind, reference)
    assert source["spec"]["secretRef"] == {"name": "git"}
    spec = kustomization["spec"]
    name = source["metadata"]["name"]
    assert spec["sourceRef"] == {"kind": kind, "name": name}
    assert (spec["path"], spec["deletionPolicy"]) == ("./environments/test/manifests", "Orphan")
    assert spec["serviceAccountName"] == "deployer"
    kept = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
    namespace = manifest(tmp_path, "00-namespace-beacon-test.yaml")
    assert kept.items() <= namespace["metadata"]["annotations"].items()
    deployment = manifest(tmp_path, "40-deployment-beacon-stable.yaml")
    assert "annotations" not in deployment["metadata"]


def test_the_changes_since_the_last_commit_of_the_folder_are_shown(
    written: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written()
    capsys.readouterr()
    assert written(autoscaling={"maxReplicas": 12}) == 0
    assert "spec.maxReplicas: 10 → 12" in capsys.readouterr().out
    assert "spec.maxReplicas: 10 → 12" in (tmp_path / "diff.md").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"delivery": {"mode": "pulumi"}}, 'slipway:delivery.mode is "pulumi"'),
        (
            {"release": {"stable": {"digest": None}}},
            "slipway:services.beacon.release.stable.digest is missing: `make publish` builds 1.0.0",
        ),
        (
            {"secrets": {"token": {"generate": {}}}},
            'services.beacon.secrets.token is {"generate": {}}: use external',
        ),
    ],
)
def test_a_stack_that_cannot_be_handed_over_is_refused_and_nothing_is_written(
    written: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    message: str,
) -> None:
    assert written(**changes) == BAD_INPUT
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_two_stacks_with_one_folder_are_refused(
    written: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written() == 0
    file, other = tmp_path / "Pulumi.test.yaml", tmp_path / "Pulumi.other.yaml"
    other.write_text(file.read_text())
    capsys.readouterr()
    assert written() == BAD_INPUT
    assert (
        "Pulumi.test.yaml: slipway:delivery.path is environments/test: use another one, "
        "Pulumi.other.yaml has the same"
    ) in capsys.readouterr().err
    other.write_text(file.read_text().replace("environments/test", "environments/other"))
    assert written() == 0


def test_a_rendered_secret_value_is_an_error_whatever_the_settings_are(
    written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("settings.stack.gitops_errors", lambda *_: ())
    assert written(secrets={"token": {"generate": {}}}) == BAD_INPUT
    assert "20-secret-beacon-token.yaml has the value of a secret" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_only_stacks_with_the_mode_of_delivery_are_listed(
    written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    written()
    monkeypatch.setattr("commands.gitops.stacks.PROJECT_FOLDER", tmp_path)
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    capsys.readouterr()
    for mode, names in (("gitops", '["test"]'), ("pulumi", "[]")):
        assert print_stacks([f"--delivery={mode}"]) == 0
        assert capsys.readouterr().out == f"names={names}\n"
