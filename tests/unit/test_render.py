"""Manifests of a stack: complete, reproducible and without secret values."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi import RunError

import render
from render import BAD_INPUT, UNBUILT, RenderError, write
from settings.stack_file import PROJECT_FOLDER
from tests.unit.stacks import CANARY, DIGEST, HELLO, REPOSITORY, changed, sections

VERSION = "1.0.0"


@pytest.fixture
def stack(tmp_path: Path) -> Any:
    """Returns a function that writes a stack file with changes and returns its path."""

    def write_stack(**changes: Any) -> str:
        release = changed({"stable": {"version": VERSION}}, changes.pop("release", {}))
        file = tmp_path / "Pulumi.test.yaml"
        stack = sections(release=release, **{"source": HELLO, **changes})
        config = {f"slipway:{key}": value for key, value in stack.items()}
        file.write_text(yaml.safe_dump({"config": config}))
        return str(file)

    return write_stack


def rendered(monkeypatch: pytest.MonkeyPatch, stack: str, out: Path) -> int:
    monkeypatch.setattr("sys.argv", ["render.py", "--stack", stack, "--out", str(out)])
    return render.main()


def test_files_are_named_by_kind_and_name_and_sorted_in_apply_order(stack: Any) -> None:
    names = list(render.manifests_of(stack()))
    assert names == sorted(names)
    assert names[0] == "00-namespace-beacon-test.yaml"
    assert "40-deployment-beacon-stable.yaml" in names
    assert names[-1] == "60-ingress-beacon.yaml"


def test_file_names_contain_a_namespace_other_than_the_stacks(stack: Any) -> None:
    names = list(render.manifests_of(stack(observability={"mode": "bundled"})))
    assert {
        "10-networkpolicy-default-deny.yaml",
        "10-monitoring-networkpolicy-default-deny.yaml",
        "10-monitoring-node-networkpolicy-default-deny.yaml",
    } <= set(names)
    assert "10-clusterrole-monitoring-prometheus.yaml" in names
    assert "20-monitoring-persistentvolumeclaim-loki.yaml" in names


def test_replicas_are_rendered_only_without_an_hpa(stack: Any) -> None:
    def spec(enabled: bool) -> dict[str, Any]:
        files = render.manifests_of(stack(autoscaling={"enabled": enabled}))
        return yaml.safe_load(files["40-deployment-beacon-stable.yaml"])["spec"]

    assert "replicas" not in spec(enabled=True)
    assert spec(enabled=False)["replicas"] == 3


def test_an_object_has_the_dependencies_and_options_of_the_program(stack: Any) -> None:
    flagger = {"release": {"strategy": "progressive"}, "observability": {"mode": "operator"}}
    objects = {one.file: one for one in render.objects_of(stack(**flagger))}
    deployment = objects["40-deployment-beacon-progressive.yaml"]
    assert {"00-namespace-beacon-test.yaml", "10-networkpolicy-beacon-progressive.yaml"} <= (
        deployment.dependencies
    )
    assert deployment.ignored == ("spec.replicas",)
    assert deployment.file in objects["80-canary-beacon-progressive.yaml"].dependencies
    retained = {one.manifest["kind"] for one in objects.values() if one.is_retained}
    assert retained == {"CustomResourceDefinition"}


def test_a_file_contains_one_object(stack: Any) -> None:
    for name, text in render.manifests_of(
        stack(release=CANARY | {"canary": {"version": "2.0.0", "digest": DIGEST, "weight": 5}})
    ).items():
        manifest = yaml.safe_load(text)
        assert {"apiVersion", "kind", "metadata"} <= set(manifest), name
        assert name.endswith(f"-{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml")


def test_integers_have_no_decimal_point(stack: Any) -> None:
    text = render.manifests_of(stack())["40-deployment-beacon-stable.yaml"]
    assert "  progressDeadlineSeconds: 300\n" in text


def test_rendering_is_reproducible(stack: Any) -> None:
    assert render.manifests_of(stack()) == render.manifests_of(stack())


def test_an_image_that_is_not_built_has_a_digest_of_zeros(stack: Any) -> None:
    text = render.manifests_of(stack())["40-deployment-beacon-stable.yaml"]
    assert f"image: localhost:5000/{REPOSITORY}:{VERSION}@{UNBUILT}" in text


def test_a_published_image_has_its_digest(stack: Any) -> None:
    pinned = {"stable": {"version": "0.9.0", "digest": DIGEST}}
    text = render.manifests_of(stack(release=pinned))["40-deployment-beacon-stable.yaml"]
    assert f"image: localhost:5000/{REPOSITORY}:0.9.0@{DIGEST}" in text


def test_secret_values_are_omitted_and_their_keys_are_listed(stack: Any) -> None:
    login = {"username": "robot", "password": {"secure": "v1:abc:def"}}
    token = {"token": {"generate": {}}}
    files = render.manifests_of(stack(registry={"credentials": login}, secrets=token))
    for name, key in (("token", "token"), ("registry", ".dockerconfigjson")):
        text = files[f"20-secret-beacon-{name}.yaml"]
        assert text.startswith(f"# Values omitted: {key}\n")
        assert not {"data", "stringData"} & set(yaml.safe_load(text))
    assert "robot" not in "".join(files.values())
    assert "v1:abc" not in "".join(files.values())


def test_a_secret_in_a_file_of_sops_needs_neither_its_key_nor_sops(
    stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    file = "tests/manifests/contract/secrets.contract.yaml"
    token = {"sops": {"file": file, "key": "payment.token"}}
    files = render.manifests_of(stack(secrets={"token": token}))
    assert files["20-secret-beacon-token.yaml"].startswith("# Values omitted: token\n")
    token["sops"]["key"] = "payment.absent"
    with pytest.raises(RunError, match=r"payment\.absent.*use a key of a value in .*payment.token"):
        render.manifests_of(stack(secrets={"token": token}))


def test_multiline_strings_are_yaml_literal_blocks(stack: Any) -> None:
    text = render.manifests_of(stack(config={"debug": True}))["20-configmap-beacon-stable.yaml"]
    assert "  config.yaml: |\n    debug: true\n" in text


def test_files_of_a_previous_rendering_are_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write({"one.yaml": "1", "two.yaml": "2"}, out)
    write({"two.yaml": "changed"}, out)
    assert not (out / "one.yaml").exists()
    assert (out / "two.yaml").read_text() == "changed"


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("notes")
    with pytest.raises(RenderError, match=r"has files that were not rendered \(notes\.txt\)"):
        write({"one.yaml": "1"}, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_is_not_writable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RenderError, match="cannot be written"):
        write({}, tmp_path / "file" / "out")


def test_invalid_settings_exit_with_2_and_write_no_file(
    stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    bad = stack(autoscaling={"minReplicas": 50})
    assert rendered(monkeypatch, bad, out) == BAD_INPUT
    assert "slipway:services.beacon.autoscaling.minReplicas is 50" in capsys.readouterr().err
    assert not out.exists()


def test_a_version_that_cannot_be_built_exits_with_2(
    stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "go.mod").write_text("module shop\n")
    (tmp_path / "main.go").write_text("package main\n")
    (tmp_path / "VERSION").write_text("1.0.0\n")
    source = os.path.relpath(tmp_path, PROJECT_FOLDER)
    other = stack(source=source, release={"stable": {"version": "77.0.0"}})
    assert rendered(monkeypatch, other, tmp_path / "out") == BAD_INPUT
    assert (
        'slipway:services.beacon.release.stable.version is "77.0.0": use' in capsys.readouterr().err
    )


def test_an_unknown_stack_exits_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rendered(monkeypatch, "nonsense", tmp_path / "out") == BAD_INPUT
    assert "Pulumi.nonsense.yaml has an error" in capsys.readouterr().err
