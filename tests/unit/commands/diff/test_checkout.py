"""Files of a commit in another folder."""

import subprocess
from pathlib import Path

import pytest

from commands.diff.checkout import check_out
from commands.errors import CommandError

STACK = "Pulumi.dev.yaml"


def git(folder: Path, *arguments: str) -> str:
    """Run git without the user's configuration."""
    return subprocess.run(
        [
            *("git", "-c", "user.name=test", "-c", "user.email=test@example.com"),
            *("-c", "protocol.file.allow=always", *arguments),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def commit(folder: Path, **files: str) -> str:
    """Write files, commit everything, and return the commit. ``__`` in a name is a slash."""
    for name, text in files.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A state")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, whose files were changed since."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, stack="old", app__VERSION="1.0.0\n")
    (folder / "stack").write_text("new")
    return folder


def read(project: Path, folder: Path, revision: str = "HEAD") -> dict[str, str]:
    """The files of the project at a commit, by their paths."""
    found = check_out(project, git(project, "rev-parse", revision), STACK, folder / "out")
    files = sorted(file for file in found.rglob("*") if file.is_file())
    return {str(file.relative_to(found)): file.read_text() for file in files}


def test_the_files_are_those_of_the_commit(repository: Path, tmp_path: Path) -> None:
    (repository / "untracked").touch()
    assert read(repository, tmp_path) == {"app/VERSION": "1.0.0\n", "stack": "old"}


def test_the_attribute_export_ignore_omits_no_file(repository: Path, tmp_path: Path) -> None:
    (repository / ".gitattributes").write_text("stack export-ignore\n")
    commit(repository)
    assert "stack" in read(repository, tmp_path)


def test_filters_apply_as_in_a_checkout(repository: Path, tmp_path: Path) -> None:
    """For example of Git LFS and git-crypt: the repository does not have the content itself."""
    git(repository, "config", "filter.crypt.clean", "tr a-z b-za")
    git(repository, "config", "filter.crypt.smudge", "tr b-za a-z")
    (repository / ".gitattributes").write_text("*ack filter=crypt\n*.txt text eol=crlf\n")
    commit(repository, stack="secret", **{"a.txt": "one\n"})
    assert git(repository, "show", "HEAD:stack") == "tfdsfu"
    files = read(repository, tmp_path)
    assert files["stack"] == "secret"
    assert (tmp_path / "out" / repository.relative_to("/") / "a.txt").read_bytes() == b"one\r\n"


def test_attributes_above_the_project_apply(repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "filter.crypt.smudge", "tr b-za a-z")
    (repository / ".gitattributes").write_text("stack filter=crypt\n")
    commit(repository, platform__stack="tfdsfu")
    assert read(repository / "platform", tmp_path) == {"stack": "secret"}


def test_the_project_may_be_a_subfolder_of_the_repository(repository: Path, tmp_path: Path) -> None:
    commit(repository, platform__slipway__stack="inner")
    assert read(repository / "platform" / "slipway", tmp_path) == {"stack": "inner"}


def test_a_subfolder_that_the_commit_does_not_have_is_empty(
    repository: Path, tmp_path: Path
) -> None:
    (repository / "new").mkdir()
    assert read(repository / "new", tmp_path) == {}


@pytest.mark.parametrize("source", ["../../hello", "../../lib/module/hello"])
def test_a_source_outside_the_project_is_that_of_the_commit(
    repository: Path, tmp_path: Path, source: str
) -> None:
    module = tmp_path / "module"
    git(tmp_path, "clone", "--quiet", str(repository), str(module))
    commit(module, hello__VERSION="old")
    git(repository, "submodule", "--quiet", "add", str(module), "lib/module")
    commit(
        repository,
        hello__VERSION="old",
        other__large="",
        **{f"platform__slipway__{STACK}": f"config: {{slipway:a: {{source: {source}}}}}"},
    )
    project = repository / "platform" / "slipway"
    (project / source / "VERSION").write_text("new")
    read(project, tmp_path)
    found = tmp_path / "out" / project.relative_to("/")
    assert (found / source / "VERSION").read_text() == "old"
    assert not (found / "../../other").exists()


def test_a_source_outside_the_repository_is_that_of_the_working_tree(
    repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "VERSION").write_text("1.0.0")
    commit(repository, **{STACK: "config: {slipway:services: {a: {source: ../hello}}}"})
    read(repository, tmp_path)
    found = tmp_path / "out" / repository.relative_to("/")
    assert (found / "../hello/VERSION").read_text() == "1.0.0"


def test_a_submodule_has_the_files_of_its_commit(repository: Path, tmp_path: Path) -> None:
    module = tmp_path / "module"
    git(tmp_path, "clone", "--quiet", str(repository), str(module))
    git(repository, "submodule", "--quiet", "add", str(module), "hello")
    commit(repository)
    commit(repository / "hello", stack="newer")
    files = read(repository, tmp_path)
    assert (files["hello/stack"], files["hello/app/VERSION"]) == ("old", "1.0.0\n")


def test_a_submodule_that_the_working_tree_does_not_have_is_empty(
    repository: Path, tmp_path: Path
) -> None:
    module = tmp_path / "module"
    git(tmp_path, "clone", "--quiet", str(repository), str(module))
    git(repository, "submodule", "--quiet", "add", str(module), "hello")
    commit(repository)
    git(repository, "submodule", "--quiet", "deinit", "--force", "hello")
    assert {"hello/stack"}.isdisjoint(read(repository, tmp_path))


def test_a_submodule_without_the_commit_is_an_error(repository: Path, tmp_path: Path) -> None:
    module = tmp_path / "module"
    git(tmp_path, "clone", "--quiet", str(repository), str(module))
    git(repository, "submodule", "--quiet", "add", str(module), "hello")
    missing = "0123456789" * 4
    git(repository, "update-index", "--cacheinfo", f"160000,{missing},hello")
    git(repository, "commit", "--quiet", "--message", "A commit that is not pushed")
    with pytest.raises(CommandError, match=f"git read-tree failed: .*{missing}"):
        read(repository, tmp_path)


def test_a_worktree_may_be_compared_with_a_commit(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "worktree"))
    (tmp_path / "worktree" / "stack").write_text("newer")
    index = git(tmp_path / "worktree", "status", "--porcelain")
    assert read(tmp_path / "worktree", tmp_path)["stack"] == "old"
    assert git(tmp_path / "worktree", "status", "--porcelain") == index


def test_a_shallow_and_partial_clone_has_its_newest_commit(
    repository: Path, tmp_path: Path
) -> None:
    commit(repository)
    git(repository, "config", "uploadpack.allowFilter", "true")
    options = ("--quiet", "--depth=1", "--filter=blob:none")
    git(tmp_path, "clone", *options, repository.as_uri(), str(tmp_path / "clone"))
    assert read(tmp_path / "clone", tmp_path)["stack"] == "new"


def test_the_variables_of_a_hook_do_not_replace_the_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = git(repository, "rev-parse", "HEAD")
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    found = check_out(repository, head, STACK, tmp_path / "out")
    assert (found / "stack").read_text() == "old"


def test_no_hook_runs_and_the_repository_is_unchanged(repository: Path, tmp_path: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-index-change"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
    hook.chmod(0o755)
    git(repository, "config", "core.splitIndex", "true")
    before = sorted((repository / ".git").rglob("*"))
    read(repository, tmp_path)
    assert sorted((repository / ".git").rglob("*")) == before
    assert not (tmp_path / "called").exists()
