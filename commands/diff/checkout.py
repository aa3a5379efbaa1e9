"""Files of a commit in another folder, as ``git checkout`` writes them."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from commands.errors import CommandError
from settings import SettingsError
from settings.stack_config import read

_SUBMODULE = "160000"
"""Mode of a submodule's entry in the index."""
_REPOSITORY_VARIABLES = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE")
"""Variables that git sets for hooks. They would replace the repository of the folder."""
# The index of a checkout is written to another folder: no hook and no daemon is to know of it.
_OPTIONS = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.splitIndex=false"),
)


def git(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run git in ``folder``, whatever its exit code. Raises :class:`CommandError` without git."""
    inherited = {
        name: text for name, text in os.environ.items() if name not in _REPOSITORY_VARIABLES
    }
    try:
        return subprocess.run(
            ["git", *_OPTIONS, *arguments],
            cwd=folder,
            env={**inherited, **(env or {})},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",  # file names are bytes
            check=False,
        )
    except FileNotFoundError:
        raise CommandError("git is not installed: install it to compare with a commit") from None


def check_out(project: Path, commit: str, stack_file: str, folder: Path) -> Path:
    """Write the project as of ``commit`` below ``folder``, and return its folder there.

    The project may be a subfolder of the repository. Paths that lead out of it, such as the source
    of a service in the stack file, lead to files of the commit too; those that lead out of the
    repository lead to the same files as in the working tree. Attributes and filters apply as in
    any checkout, and the repository stays as it is: ``git worktree`` would record the checkout
    there, and ``git archive`` omits files with the attribute ``export-ignore``.
    """
    repository = Path(_output(project, "rev-parse", "--show-toplevel"))
    path = _output(project, "rev-parse", "--show-prefix").rstrip("/")
    # At the same depth, so that relative paths lead to the same places.
    checkout = folder / repository.relative_to(repository.anchor)
    _write(repository, commit, path, checkout)
    for outside in _outside_paths(checkout / path / stack_file):
        target = Path(os.path.normpath(repository / path / outside))
        if target.is_relative_to(repository):
            _write(repository, commit, str(target.relative_to(repository)), checkout)
        elif not (link := folder / target.relative_to(target.anchor)).exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
    return checkout / path


def _outside_paths(stack_file: Path) -> Iterator[str]:
    """Paths in the stack file that lead out of the project's folder."""
    try:
        yield from _parent_paths(read(stack_file))
    except SettingsError:
        return  # the rendering reports it


def _parent_paths(value: object) -> Iterator[str]:
    match value:
        case str() if value.startswith("../"):
            yield value
        case dict():
            for inner in value.values():
                yield from _parent_paths(inner)
        case list():
            for inner in value:
                yield from _parent_paths(inner)


def _write(repository: Path, commit: str, path: str, folder: Path) -> None:
    """Write the files of a commit at ``path`` and below it, with those of submodules."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary:
        env = {
            "GIT_DIR": _output(repository, "rev-parse", "--absolute-git-dir"),
            "GIT_WORK_TREE": str(folder),
            "GIT_INDEX_FILE": f"{temporary}/index",
        }
        _output(folder, "read-tree", commit, env=env)
        entries = list(_entries(_output(folder, "ls-files", "--stage", "-z", env=env), path))
        files = "".join(f"{file}\0" for mode, _, file in entries if mode != _SUBMODULE)
        _output(folder, "checkout-index", "--force", "--stdin", "-z", env=env, stdin=files)
    for mode, object_id, submodule in entries:
        # Without `.git` the working tree does not have the submodule either.
        if mode == _SUBMODULE and (repository / submodule / ".git").exists():
            inner = path[len(submodule) + 1 :] if _contains(submodule, path) else ""
            _write(repository / submodule, object_id, inner, folder / submodule)


def _entries(listed: str, path: str) -> Iterator[tuple[str, str, str]]:
    """Mode, object and file of each entry below ``path``, and of a submodule that contains it."""
    for entry in filter(None, listed.split("\0")):
        details, _, file = entry.partition("\t")
        mode, object_id, _ = details.split()
        if _contains(path, file) or (mode == _SUBMODULE and _contains(file, path)):
            yield mode, object_id, file


def _contains(folder: str, path: str) -> bool:
    return folder in ("", ".") or path == folder or path.startswith(f"{folder}/")


def _output(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
) -> str:
    result = git(folder, *arguments, env=env, stdin=stdin)
    if result.returncode != 0:
        raise CommandError(f"git {arguments[0]} failed: {result.stderr.strip()}")
    return result.stdout.removesuffix("\n")
