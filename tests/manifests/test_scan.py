"""Trivy finds nothing in what Slipway renders, and the faults of other files and images."""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.supply_chain.scan import CONFIG, Target, Trivy
from settings.stack_file import PROJECT_FOLDER
from tests.manifests.conftest import VERSION, Variant, run

pytestmark = pytest.mark.timeout(900)

OTHERS = ("dev", "prod-receivers", "prod-log-pipeline", "prod-istio") if VERSION else ()
SCANNED = ("contract", *OTHERS)
"""Together they have every kind of object."""
EXCEPTIONS = yaml.safe_load((PROJECT_FOLDER / ".trivyignore.yaml").read_text())

TOKEN = "gh" + "p_" + "a1B2c3D4e5F6" * 3
"""In the format of an access token. In parts, so that this file has no finding."""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: bad}
spec:
  containers:
    - {name: bad, image: example.com/bad, securityContext: {privileged: true}}
"""
DOCKERFILE = "FROM golang:1.26\nCOPY . .\nUSER root\n"
GO_MOD = "module bad\n\ngo 1.26\n\nrequire example.com/copyleft v1.0.0\n"
LICENSE = Path("/usr/share/common-licenses/GPL-3")


@dataclass(frozen=True)
class Layer:
    """An image of one layer."""

    content: dict[str, str]
    user: str

    def write(self, folder: Path) -> None:
        """Write its OCI layout."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, text in self.content.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text.encode()))
        layer = _blob(folder, archive.getvalue(), "layer.v1.tar")
        steps = ["COPY files /", f"USER {self.user}"]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"User": self.user},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
            "history": [
                {"created_by": step, "empty_layer": number > 0} for number, step in enumerate(steps)
            ],
        }
        manifest = {
            "schemaVersion": 2,
            "config": _blob(folder, json.dumps(config).encode(), "config.v1+json"),
            "layers": [layer],
        }
        index = [_blob(folder, json.dumps(manifest).encode(), "manifest.v1+json")]
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": index}))
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _blob(folder: Path, content: bytes, kind: str) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    file = folder / "blobs" / "sha256" / digest
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    media = f"application/vnd.oci.image.{kind}"
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def write_copyleft(folder: Path) -> None:
    """Write a Go module that requires a module under the GPL."""
    write(folder, {"go.mod": GO_MOD, "vendor/modules.txt": ""})
    module = folder / "vendor" / "example.com" / "copyleft"
    module.mkdir(parents=True)
    shutil.copy(LICENSE, module / "LICENSE")


@pytest.fixture
def trivy(checkers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trivy:
    monkeypatch.setenv("PATH", str(checkers), prepend=":")
    return Trivy(tmp_path / "go")


def finds(trivy: Trivy, scanners: Sequence[str], *command: str | Path) -> bool:
    return trivy.finds(Target("it", scanners, [str(one) for one in command]))


def test_faults_of_files_are_found(
    trivy: Trivy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "scanned"
    write(folder, {"pod.yaml": POD, "Dockerfile": DOCKERFILE, "config.yaml": f"token: {TOKEN}\n"})
    write_copyleft(folder / "module")
    assert finds(trivy, ("misconfig", "secret", "license"), "fs", folder)
    printed = capsys.readouterr().out
    for finding in ("KSV-0017", "DS-0002", "GitHub", "GPL-3.0"):
        assert finding in printed


def test_faults_of_an_image_are_found(
    trivy: Trivy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Layer({"app": "", "etc/token": TOKEN}, "root").write(tmp_path / "image")
    assert finds(trivy, ("secret",), "image", "--input", tmp_path / "image")
    printed = capsys.readouterr().out
    for finding in ("GitHub", "DS-0002"):
        assert finding in printed


def test_an_image_without_faults_has_no_finding(trivy: Trivy, tmp_path: Path) -> None:
    Layer({"app": ""}, "65532").write(tmp_path / "image")
    assert not finds(trivy, ("secret", "license"), "image", "--input", tmp_path / "image")


def report(checkers: Path, folder: Path) -> Any:
    """Findings, also those that do not fail `make scan`, and the exceptions that apply."""
    result = run(
        *(checkers / "trivy", "fs", "--scanners", "misconfig,secret", "--show-suppressed"),
        *("--severity", "UNKNOWN,MEDIUM,HIGH,CRITICAL", "--format", "json", folder),
    )
    assert result.stdout, result.stderr
    return json.loads(result.stdout).get("Results", [])


def test_only_exceptions_with_a_reason_are_found_in_the_manifests_and_the_project(
    checkers: Path, variant: Variant, tmp_path: Path
) -> None:
    scanned: set[bytes] = set()
    for name in SCANNED:
        (tmp_path / name).mkdir()
        for file in variant(name).iterdir():
            # Most objects are the same in several of them.
            if (content := file.read_bytes()) not in scanned:
                scanned.add(content)
                (tmp_path / name / file.name).write_bytes(content)
    results = [*report(checkers, tmp_path), *report(checkers, PROJECT_FOLDER)]
    assert len({result["Target"] for result in results}) > 100, "few files were scanned"
    found = [
        (result["Target"], finding.get("ID") or finding.get("RuleID"))
        for result in results
        for finding in (*result.get("Misconfigurations", ()), *result.get("Secrets", ()))
    ]
    assert found == []
    used = {
        one["Finding"].get("ID") or one["Finding"].get("RuleID")
        for result in results
        for one in result.get("ExperimentalModifiedFindings", ())
    }
    listed = {one["id"] for group in EXCEPTIONS.values() for one in group}
    assert listed - used == set(), "exceptions that nothing needs"
    assert all(one["statement"] for group in EXCEPTIONS.values() for one in group)


def test_findings_have_another_exit_code_than_errors() -> None:
    assert yaml.safe_load(CONFIG.read_text())["exit-code"] == 3
