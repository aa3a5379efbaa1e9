"""Both renderings of a stack: the working tree as it is, and a commit with its own code."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from commands.diff.objects import Objects, read
from commands.errors import BAD_INPUT, CommandError
from render import UNBUILT
from settings import stack_file

if TYPE_CHECKING:
    from collections.abc import Iterator

RENDER = "render.py"
RENDER_SECONDS = 120
"""Longer than any stack takes; a program that hangs ends here."""
_LONGEST_SHOWN = 300


@dataclass(frozen=True)
class Renderings:
    """One stack as two versions of the program make it."""

    stack: str
    base: Objects
    head: Objects
    commit: str
    """The base's, abbreviated."""
    is_new: bool
    """Whether the base has no such stack."""
    is_rebuilt: bool
    """Whether an image that it runs is built anew: its digest is known only then."""


def render_both(stack: str, ref: str) -> Renderings:
    """Render ``stack`` of the working tree and of the commit ``ref``, at the same time.

    Raises :class:`CommandError` with one message for whatever is wrong on either side.
    """
    project = stack_file.PROJECT_FOLDER
    name = _file_of(stack).name
    commit = _commit(project, ref)
    with TemporaryDirectory(prefix="slipway-diff-") as temporary:
        base = Path(temporary) / "base"
        _extract(project, commit, base)
        is_new = not (base / name).is_file()
        if not (base / RENDER).is_file():
            raise CommandError(f"BASE={ref} has no {RENDER}: it cannot be compared with")
        out = Path(temporary) / "out"
        with (
            _rendering(project, stack, out / "head") as head,
            nullcontext() if is_new else _rendering(base, stack, out / "base") as other,
        ):
            _finish(head, project, f"{name} of the working tree")
            if other:
                _finish(other, base, f"{name} at BASE={ref}")
        objects = {side: read(out / side) for side in ("base", "head")}
    is_rebuilt = UNBUILT in str(objects["head"]) and _has_changed(project, commit, "app")
    return Renderings(stack, objects["base"], objects["head"], commit[:10], is_new, is_rebuilt)


def _file_of(stack: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", stack):
        raise CommandError(f"STACK={stack} is not a stack's name: use letters, digits, -, _ and .")
    file = stack_file.path_of(stack)
    if not file.is_file():
        names = sorted(found.name for found in file.parent.glob("Pulumi.*.yaml"))
        raise CommandError(
            f"there is no {file.name} in the working tree: there are {', '.join(names)}"
        )
    return file


def _git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise CommandError(
            "there is no git on this machine: it has the base to compare with"
        ) from None


def _commit(folder: Path, ref: str) -> str:
    found = _git(
        folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
    )
    if found.returncode != 0:
        raise CommandError(
            f"BASE={ref} is not a commit here: use a branch, a tag or a commit, "
            "and fetch it where the clone is shallow"
        )
    return found.stdout.strip()


def _has_changed(project: Path, commit: str, folder: str) -> bool:
    tracked = _git(project, "diff", "--quiet", commit, "--", folder)
    untracked = _git(project, "ls-files", "--others", "--exclude-standard", "--", folder)
    return tracked.returncode != 0 or bool(untracked.stdout)


def _extract(project: Path, commit: str, folder: Path) -> None:
    """Write the project as it was, without touching the repository: no work tree is left behind."""
    folder.mkdir()
    prefix = _git(project, "rev-parse", "--show-prefix").stdout.strip()
    with subprocess.Popen(
        ["git", "archive", "--format=tar", f"{commit}:{prefix}"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as archive:
        unpacked = subprocess.run(
            ["tar", "-x", "-C", str(folder)], stdin=archive.stdout, capture_output=True, check=False
        )
        _, problem = archive.communicate()
    if archive.returncode != 0 or unpacked.returncode != 0:
        reason = (problem or unpacked.stderr).decode(errors="replace").strip()
        raise CommandError(f"cannot read the project at {commit[:10]}: {reason}")


@contextmanager
def _rendering(folder: Path, stack: str, out: Path) -> "Iterator[subprocess.Popen[str]]":
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    process = subprocess.Popen(
        [sys.executable, RENDER, "--stack", stack, "--out", str(out)],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _finish(process: "subprocess.Popen[str]", folder: Path, what: str) -> None:
    try:
        _, errors = process.communicate(timeout=RENDER_SECONDS)
    except subprocess.TimeoutExpired:
        message = f"{what} did not render within {RENDER_SECONDS} s"
        raise CommandError(message) from None
    if process.returncode == 0:
        return
    if process.returncode == BAD_INPUT and "Traceback" not in errors:
        raise CommandError(f"{what} cannot be rendered: {errors.strip().removeprefix('error: ')}")
    raise CommandError(f"{what} cannot be rendered: {cause(errors, folder)}")


def cause(errors: str, folder: Path) -> str:
    """The last line of a traceback, and the line of the program that it leads to."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', errors)
    inside = [
        f"{(folder / file).relative_to(folder)}:{line}"
        for file, line in frames
        if (folder / file).is_relative_to(folder)
        and (folder / file).is_file()
        and ".venv" not in Path(file).parts
    ]
    lines = errors.strip().splitlines() or ["it ended without a word"]
    place = f" ({inside[-1]})" if inside else ""
    if inside and re.search(r"(?m)^\s*(<<<<<<< |=======$|>>>>>>> )", errors):
        return f"{inside[-1]} is a merge conflict: resolve it"
    return f"{lines[-1][:_LONGEST_SHOWN]}{place}"
