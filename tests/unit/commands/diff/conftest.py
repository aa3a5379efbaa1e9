"""A repository that the tests of the diff share, one state per test."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands import stack_file
from commands.diff import terminal
from commands.diff.__main__ import main
from commands.diff.rendering import render_both
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


class Diff:
    """The command, run in a repository whose one commit has a canary at 10 %."""

    def __init__(self, repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
        self.repository = repository
        self._capsys = capsys

    def run(self, *arguments: str, stack: str = "dev") -> tuple[int, str, str]:
        """Its exit code, and what it prints to either stream."""
        code = main(["--stack", stack, *arguments])
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def compared(self, base: str = "HEAD", stack: str = "dev") -> Compared:
        """Both answers of one comparison."""
        report = Report.of(render_both(stack, base))
        listed: dict[str, set[str]] = {}
        for item in report.comparison.listed():
            listed.setdefault(item["action"], set()).add(f"{item['kind']} {item['name']}")
        return Compared(listed, terminal.plain(report))

    def fails(self, *arguments: str, stack: str = "dev") -> str:
        """The one message of a run that ends with exit code 2."""
        code, out, errors = self.run(*arguments, stack=stack)
        assert (code, out) == (2, "")
        assert errors.startswith("error: ")
        assert "Traceback" not in errors
        return errors


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, str]:
    """The repository and its commit."""
    repository = Repository(tmp_path_factory.mktemp("repository"))
    repository.configure("dev", "release", **RELEASE)
    return repository, repository.commit()


@pytest.fixture
def diff(
    repository: tuple[Repository, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Diff]:
    """The command in a repository where nothing differs yet."""
    made, commit = repository
    monkeypatch.setattr(stack_file, "PROJECT", made.folder)
    monkeypatch.chdir(made.folder)
    yield Diff(made, capsys)
    made.reset(commit)
