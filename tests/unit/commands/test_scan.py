"""Exit codes and messages of the scan, with a fake Trivy."""

import os
import subprocess
from pathlib import Path

import pytest

from commands.errors import FAILED, UNCHECKED, CommandError
from commands.supply_chain import scan as module
from tests.unit.stacks import needs_example

pytestmark = needs_example

TRIVY = """\
#!/bin/sh
echo "$@" >> "$0.calls"
case "$*" in
  *--download-db-only*) exit $DATABASE ;;
  *"$FINDING"*) echo "HIGH finding"; exit 3 ;;
  *"$BROKEN"*) echo "FATAL no such thing" >&2; exit 1 ;;
esac
"""


class FakeGo:
    """Downloads modules."""

    exit_code = 0

    def __init__(self, folder: Path) -> None:
        assert (folder / "go.mod").is_file()

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        assert arguments == ("mod", "download")
        return subprocess.CompletedProcess(arguments, FakeGo.exit_code, "", "no such module\n")


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with the image of beacon. Trivy and its database are available."""
    program = tmp_path / "bin" / "trivy"
    program.parent.mkdir()
    program.write_text(TRIVY)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    for name, value in {"DATABASE": "0", "FINDING": "nothing", "BROKEN": "nothing"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "Go", FakeGo)
    monkeypatch.setattr(FakeGo, "exit_code", 0)
    (tmp_path / "images" / "beacon").mkdir(parents=True)
    return tmp_path / "images"


def calls(images: Path) -> list[str]:
    return (images.parent / "bin" / "trivy.calls").read_text().splitlines()


def test_project_manifests_sources_and_images_are_scanned(images: Path) -> None:
    assert module.scan("dev", "", images) == "trivy: nothing found"
    _, project, manifests, source, image = calls(images)
    assert project.startswith("fs --scanners misconfig,secret --table-mode detailed . ")
    assert manifests.startswith("fs --scanners misconfig,secret --table-mode detailed /")
    assert source.startswith("fs --scanners misconfig,secret,license ")
    assert "/app " in source
    assert image.startswith("image --scanners secret,license,vuln ")
    assert f"--input {images / 'beacon'} " in image


@pytest.mark.parametrize(
    "what", ["detailed . ", "secret,license --table-mode detailed /", "--input"]
)
def test_a_finding_fails_the_scan_after_everything_is_scanned(
    images: Path, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FINDING", what)
    with pytest.raises(CommandError, match="Trivy has findings: the ") as raised:
        module.scan("dev", "", images)
    assert raised.value.exit_code == FAILED
    assert capsys.readouterr().out.count("HIGH finding") == 1
    assert len(calls(images)) == 5


def test_without_its_database_vulnerabilities_are_not_checked(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE", "1")
    with pytest.raises(CommandError, match="found nothing else") as raised:
        module.scan("dev", "", images)
    assert raised.value.exit_code == UNCHECKED
    assert "vulnerabilities of the images: not checked: " in capsys.readouterr().out
    assert calls(images)[-1].startswith("image --scanners secret,license ")


def test_what_trivy_cannot_scan_is_not_checked(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKEN", "--input")
    with pytest.raises(CommandError, match="not checked: the image of beacon:\nFATAL no") as raised:
        module.scan("dev", "", images)
    assert raised.value.exit_code == UNCHECKED


def test_licences_of_modules_that_cannot_be_downloaded_are_not_checked(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeGo, "exit_code", 1)
    with pytest.raises(CommandError, match="not checked: the licences of beacon: no such module"):
        module.scan("dev", "", images)


def test_an_image_that_is_not_built_is_an_error(images: Path) -> None:
    (images / "beacon").rmdir()
    with pytest.raises(CommandError, match=r"there is no .*/beacon: `make image` builds it"):
        module.scan("dev", "", images)
