"""SBOM of a service, with a fake Go toolchain."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from commands.errors import CommandError
from commands.go_sources import GoSource, go_sources
from commands.supply_chain import sbom as module
from tests.unit.stacks import needs_example

pytestmark = needs_example


class FakeGo:
    """Builds a binary, and records the arguments of the tool."""

    exit_code = 0
    tool: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str) -> CompletedProcess[str]:
        return CompletedProcess(arguments, FakeGo.exit_code, "", "undefined: x\n")

    def run_tool(self, *arguments: str) -> CompletedProcess[str]:
        FakeGo.tool = arguments
        return CompletedProcess(arguments, 0, "", "")


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> GoSource:
    """The source of beacon."""
    monkeypatch.setattr(FakeGo, "exit_code", 0)
    monkeypatch.setattr(module, "Go", FakeGo)
    (source,) = go_sources("dev", "beacon")
    return source


def test_the_sbom_is_of_the_binary_with_its_version_and_the_standard_library(
    source: GoSource, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "beacon.json"
    assert str(out) in module.sbom([source], out.parent)
    assert FakeGo.tool[0] == module.CYCLONEDX_GOMOD
    assert {"bin", "-json", "-std", f"v{source.version}", str(out)} <= {*FakeGo.tool}
    assert out.parent.is_dir()


def test_source_that_does_not_build_is_an_error(
    source: GoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeGo, "exit_code", 1)
    with pytest.raises(CommandError, match="app does not build: undefined: x"):
        module.sbom([source], tmp_path)
