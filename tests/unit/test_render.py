"""The program's objects as files: stable, complete, and without a secret."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import render
from render import BAD_INPUT, UNBUILT, RenderError, write
from tests.unit.stacks import CANARY, DIGEST, SMALLEST, changed

VERSION = (Path(__file__).resolve().parents[2] / "app" / "VERSION").read_text().strip()


@pytest.fixture
def stack(tmp_path: Path) -> Any:
    """Writes a stack file with changes; returns its path."""

    def write_it(**changes: Any) -> str:
        base = changed(SMALLEST, {"release": {"stable": {"version": VERSION}}})
        sections = changed(base, changes)
        file = tmp_path / "Pulumi.test.yaml"
        config = {f"slipway:{key}": value for key, value in sections.items()}
        file.write_text(yaml.safe_dump({"config": config}))
        return str(file)

    return write_it


def rendered(monkeypatch: pytest.MonkeyPatch, stack: str, out: Path) -> int:
    monkeypatch.setattr("sys.argv", ["render.py", "--stack", stack, "--out", str(out)])
    return render.main()


def test_one_file_per_object_named_by_kind_and_name_in_the_order_of_applying(stack: Any) -> None:
    names = list(render.manifests_of(stack()))
    assert names == sorted(names)
    assert names[0] == "00-namespace-beacon-test.yaml"
    assert "40-deployment-beacon-stable.yaml" in names
    assert names[-1] == "60-ingress-beacon.yaml"


def test_objects_of_other_namespaces_have_files_of_their_own(stack: Any) -> None:
    names = list(render.manifests_of(stack(observability={"mode": "bundled"})))
    assert {
        "10-networkpolicy-default-deny.yaml",
        "10-monitoring-networkpolicy-default-deny.yaml",
        "10-monitoring-node-networkpolicy-default-deny.yaml",
    } <= set(names)
    assert "10-clusterrole-monitoring-prometheus.yaml" in names
    assert "20-monitoring-persistentvolumeclaim-loki.yaml" in names


def test_every_file_is_one_object_that_kubectl_can_apply(stack: Any) -> None:
    for name, text in render.manifests_of(
        stack(release=CANARY | {"canary": {"version": "2.0.0", "digest": DIGEST, "weight": 5}})
    ).items():
        manifest = yaml.safe_load(text)
        assert {"apiVersion", "kind", "metadata"} <= set(manifest), name
        assert name.endswith(f"-{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml")
        assert "." not in str(manifest.get("spec", {}).get("progressDeadlineSeconds", ""))


def test_rendering_twice_gives_the_same_bytes(stack: Any) -> None:
    assert render.manifests_of(stack()) == render.manifests_of(stack())


def test_an_image_that_is_not_built_yet_has_a_digest_of_zeros(stack: Any) -> None:
    text = render.manifests_of(stack())["40-deployment-beacon-stable.yaml"]
    assert f"image: localhost:5000/slipway/beacon:{VERSION}@{UNBUILT}" in text


def test_a_published_image_has_its_digest(stack: Any) -> None:
    pinned = {"stable": {"version": "0.9.0", "digest": DIGEST}}
    text = render.manifests_of(stack(release=pinned))["40-deployment-beacon-stable.yaml"]
    assert f"image: localhost:5000/slipway/beacon:0.9.0@{DIGEST}" in text


def test_the_values_of_secrets_are_left_out_and_their_keys_are_named(stack: Any) -> None:
    login = {"username": "robot", "password": {"secure": "v1:abc:def"}}
    files = render.manifests_of(stack(image={"credentials": login}))
    for name, key in (("token", "token"), ("registry", ".dockerconfigjson")):
        text = files[f"20-secret-beacon-{name}.yaml"]
        assert text.startswith(f"# The values are left out, of: {key}\n")
        assert not {"data", "stringData"} & set(yaml.safe_load(text))
    assert "robot" not in "".join(files.values())
    assert "v1:abc" not in "".join(files.values())


def test_text_of_several_lines_is_written_as_people_read_it(stack: Any) -> None:
    text = render.manifests_of(stack())["20-configmap-beacon-stable.yaml"]
    assert "  config.yaml: |\n    listen: :8080\n" in text


def test_files_of_an_earlier_rendering_that_are_gone_are_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write({"one.yaml": "1", "two.yaml": "2"}, out)
    write({"two.yaml": "changed"}, out)
    assert not (out / "one.yaml").exists()
    assert (out / "two.yaml").read_text() == "changed"


def test_files_that_were_not_rendered_are_never_touched(tmp_path: Path) -> None:
    precious = tmp_path / "notes.txt"
    precious.write_text("precious")
    with pytest.raises(RenderError, match=r"holds notes\.txt, which was not rendered"):
        write({"one.yaml": "1"}, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RenderError, match="cannot be written"):
        write({}, tmp_path / "file" / "out")


def test_bad_settings_end_with_code_two_and_nothing_written(
    stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    bad = stack(autoscaling={"minReplicas": 50})
    assert rendered(monkeypatch, bad, out) == BAD_INPUT
    assert "slipway:autoscaling.minReplicas is 50" in capsys.readouterr().err
    assert not out.exists()


def test_a_version_that_cannot_be_built_ends_with_code_two(
    stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = stack(release={"stable": {"version": "77.0.0"}})
    assert rendered(monkeypatch, other, tmp_path / "out") == BAD_INPUT
    assert 'slipway:release.stable.version is "77.0.0": use' in capsys.readouterr().err


def test_a_missing_stack_ends_with_code_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rendered(monkeypatch, "nonsense", tmp_path / "out") == BAD_INPUT
    assert "Pulumi.nonsense.yaml has an error" in capsys.readouterr().err
