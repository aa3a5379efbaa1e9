"""Renderings of a stack: from the working tree, and from a commit with the code of the commit."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from commands.diff.checkout import check_out, git
from commands.diff.manifests import Manifests, read
from commands.errors import BAD_INPUT, CommandError
from render import UNBUILT
from settings import stack_config, stack_file

RENDER = "render.py"
RENDER_TIMEOUT_SECONDS = 120
"""Longer than any stack takes."""
MAX_ERROR_CHARACTERS = 300


@dataclass(frozen=True)
class Renderings:
    """Renderings of one stack from two revisions."""

    stack: str
    base: Manifests
    head: Manifests
    commit: str
    """Abbreviated commit of the base."""
    is_new: bool
    """True if the base does not have the stack."""
    changed_sources: Sequence[str]
    """Changed source folders of services. Their images are not built yet and have no digest."""


def render_both(stack: str, base: str) -> Renderings:
    """Render a stack from the working tree and from the commit ``base``.

    Raises :class:`CommandError` if either cannot be rendered.
    """
    project = stack_file.PROJECT_FOLDER
    name = _stack_file(stack).name
    commit = _commit(project, base)
    with TemporaryDirectory(prefix="slipway-diff-") as temporary, ThreadPoolExecutor() as pool:
        out = Path(temporary) / "out"
        checkout = check_out(project, commit, name, Path(temporary) / "base")
        if not (checkout / RENDER).is_file():
            raise CommandError(f"BASE={base} has no {RENDER}: use a later commit")
        is_new = not (checkout / name).is_file()
        head_rendering = pool.submit(
            _render, project, stack, out / "head", f"{name} of the working tree"
        )
        if not is_new:
            _render(checkout, stack, out / "base", f"{name} at BASE={base}")
        head_rendering.result()
        head = read(out / "head")
        changed_sources = [
            source
            for source in sorted(_sources(stack))
            if UNBUILT in str(head) and _has_changed(project, commit, source)
        ]
        return Renderings(stack, read(out / "base"), head, commit[:10], is_new, changed_sources)


def _sources(stack: str) -> set[str]:
    """Source folders of the stack's services."""
    sections = stack_config.read(stack_file.path_of(stack))
    services = [*sections["services"].values(), sections.get("defaults", {})]
    return {service["source"] for service in services if "source" in service}


def _stack_file(stack: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", stack):
        raise CommandError(f"STACK={stack} is not a stack's name: use letters, digits, -, _ and .")
    file = stack_file.path_of(stack)
    if not file.is_file():
        names = [found.name for found in stack_file.stack_files(file.parent)]
        raise CommandError(
            f"there is no {file.name} in the working tree: there are {', '.join(names)}"
        )
    return file


def _commit(folder: Path, base: str) -> str:
    found = git(
        folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}"
    )
    if found.stderr:
        raise CommandError(f"cannot read the git repository: {found.stderr.strip()}")
    if found.returncode != 0:
        raise CommandError(
            f"BASE={base} is not a commit here: use a branch, a tag or a commit, "
            "and fetch it where the clone is shallow"
        )
    return found.stdout.strip()


def _has_changed(project: Path, commit: str, folder: str) -> bool:
    tracked = git(project, "diff", "--quiet", "--no-ext-diff", commit, "--", folder)
    untracked = git(project, "ls-files", "--others", "--exclude-standard", "--", folder)
    return tracked.returncode != 0 or bool(untracked.stdout)


def _render(folder: Path, stack: str, out: Path, label: str) -> None:
    """Render with the code in a folder."""
    try:
        result = subprocess.run(
            [sys.executable, RENDER, "--stack", stack, "--out", str(out)],
            cwd=folder,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
            timeout=RENDER_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        message = f"{label} was not rendered within {RENDER_TIMEOUT_SECONDS} s"
        raise CommandError(message) from None
    if result.returncode == BAD_INPUT and "Traceback" not in result.stderr:
        reason = result.stderr.strip().removeprefix("error: ")
        raise CommandError(f"{label} cannot be rendered: {reason}")
    if result.returncode != 0:
        reason = summarize_traceback(result.stderr, folder)
        raise CommandError(f"{label} cannot be rendered: {reason}")


def summarize_traceback(text: str, folder: Path) -> str:
    """Last line of a traceback, and the last line of code in the project folder."""
    frames = [
        f"{(folder / file).relative_to(folder)}:{line}"
        for file, line in re.findall(r'File "([^"]+)", line (\d+)', text)
        if (folder / file).is_relative_to(folder)
        and (folder / file).is_file()
        and ".venv" not in Path(file).parts
    ]
    if frames and re.search(r"(?m)^\s*(<<<<<<< |=======$|>>>>>>> )", text):
        return f"{frames[-1]} is a merge conflict: resolve it"
    lines = text.strip().splitlines() or ["it printed no error"]
    return lines[-1][:MAX_ERROR_CHARACTERS] + (f" ({frames[-1]})" if frames else "")
