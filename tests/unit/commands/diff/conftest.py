"""A repository in which the tests of the command edit the project."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands.diff.__main__ import main
from settings import stack_file
from settings.source import working_tree_version
from tests.unit.commands.repository import Repository
from tests.unit.stacks import OTHER_DIGEST

RELEASE = {
    "strategy": "canary",
    "stable": {"version": "0.9.0", "digest": OTHER_DIGEST},
    "canary": {"version": working_tree_version("app"), "weight": 10},
}

RunDiff = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, str]:
    """The repository and its commit, in which the dev stack has a canary at 10 %."""
    if working_tree_version("app") is None:
        pytest.skip("the example service was removed")
    repository = Repository(tmp_path_factory.mktemp("repository"))
    repository.configure("dev", "release", **RELEASE)
    return repository, repository.commit()


@pytest.fixture
def repository(
    base: tuple[Repository, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Repository]:
    """The repository without changes."""
    repository, commit = base
    monkeypatch.setattr(stack_file, "PROJECT_FOLDER", repository.folder)
    monkeypatch.chdir(repository.folder)
    yield repository
    repository.reset(commit)


@pytest.fixture
def diff(repository: Repository, capsys: pytest.CaptureFixture[str]) -> RunDiff:
    """Runs the command; returns its exit code, output and errors."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run
