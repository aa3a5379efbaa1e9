"""SBOM of the service, with a fake Go toolchain."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from commands.errors import CommandError
from commands.supply_chain import sbom as module

VERSION = (module.APP / "VERSION").read_text().strip()


class FakeGo:
    """Builds a binary, and records the arguments of the tool."""

    exit_code = 0
    tool: tuple[str, ...] = ()

    def run(self, *arguments: str) -> CompletedProcess[str]:
        return CompletedProcess(arguments, FakeGo.exit_code, "", "undefined: x\n")

    def run_tool(self, *arguments: str) -> CompletedProcess[str]:
        FakeGo.tool = arguments
        return CompletedProcess(arguments, 0, "", "")


@pytest.fixture(autouse=True)
def go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeGo, "exit_code", 0)
    monkeypatch.setattr(module, "Go", FakeGo)


def test_the_sbom_is_of_the_binary_with_its_version_and_the_standard_library(
    tmp_path: Path,
) -> None:
    out = tmp_path / "new" / "sbom.json"
    assert str(out) in module.sbom(out)
    assert FakeGo.tool[0] == module.CYCLONEDX_GOMOD
    assert {"bin", "-json", "-std", f"v{VERSION}", str(out)} <= {*FakeGo.tool}
    assert out.parent.is_dir()


def test_source_that_does_not_build_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeGo, "exit_code", 1)
    with pytest.raises(CommandError, match="does not build: undefined: x"):
        module.sbom(tmp_path / "sbom.json")
