"""A repository that the tests of the diff share, one state per test."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands.diff import terminal
from commands.diff.__main__ import main
from commands.diff.objects import Objects, read
from commands.diff.rendering import Renderings, render_both
from commands.diff.report import Report
from tests.unit.commands.repository import Repository
from tests.unit.stacks import OTHER_DIGEST

VERSION = (Path(__file__).resolve().parents[4] / "app" / "VERSION").read_text().strip()
RELEASE = {
    "strategy": "canary",
    "stable": {"version": "0.9.0", "digest": OTHER_DIGEST},
    "canary": {"version": VERSION, "weight": 10},
}


@dataclass(frozen=True)
class Compared:
    """What a comparison comes to."""

    objects: dict[str, set[str]]
    """By action, as ``Kind name``."""
    text: str

    @classmethod
    def of(cls, renderings: Renderings) -> "Compared":
        """Both answers of one comparison."""
        report = Report.of(renderings)
        listed: dict[str, set[str]] = {}
        for item in report.comparison.listed():
            listed.setdefault(item["action"], set()).add(f"{item['kind']} {item['name']}")
        return cls(listed, terminal.plain(report))


@dataclass(frozen=True)
class Base:
    """The repository, its one commit, and what the dev stack is there."""

    repository: Repository
    commit: str
    objects: Objects


class Diff:
    """The command, run in a repository whose one commit has a canary at 10 %."""

    def __init__(self, base: Base, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.repository = base.repository
        self._base = base
        self._out = out
        self._capsys = capsys

    def run(self, *arguments: str, stack: str = "dev") -> tuple[int, str, str]:
        """Its exit code, and what it prints to either stream."""
        code = main(["--stack", stack, *arguments])
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def compared(self, base: str = "HEAD", stack: str = "dev") -> Compared:
        """A comparison with any commit."""
        return Compared.of(render_both(stack, base))

    def changed(self) -> Compared:
        """A comparison of the dev stack with the one commit, which is rendered once for all."""
        head = rendered(self.repository, self._out)
        base = self._base
        return Compared.of(
            Renderings("dev", base.objects, head, base.commit, is_new=False, is_rebuilt=False)
        )

    def fails(self, *arguments: str, stack: str = "dev") -> str:
        """The one message of a run that ends with exit code 2."""
        code, out, errors = self.run(*arguments, stack=stack)
        assert (code, out) == (2, "")
        assert errors.startswith("error: ")
        assert "Traceback" not in errors
        return errors


def rendered(repository: Repository, out: Path) -> Objects:
    """The dev stack of the working tree."""
    subprocess.run(
        [sys.executable, "render.py", "--stack", "dev", "--out", str(out)],
        cwd=repository.folder,
        check=True,
        capture_output=True,
    )
    return read(out)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """What all tests start from."""
    repository = Repository(tmp_path_factory.mktemp("repository"))
    repository.configure("dev", "release", **RELEASE)
    commit = repository.commit()
    return Base(repository, commit, rendered(repository, tmp_path_factory.mktemp("base")))


@pytest.fixture
def diff(
    base: Base,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Diff]:
    """The command in a repository where nothing differs yet."""
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", base.repository.folder)
    monkeypatch.chdir(base.repository.folder)
    yield Diff(base, tmp_path / "rendered", capsys)
    base.repository.reset(base.commit)
