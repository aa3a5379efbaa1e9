"""A program from PyPI."""

import subprocess
import venv
from pathlib import Path

from commands.errors import UNCHECKED, CommandError
from commands.turn import turn
from local.layout import Layout


def python_tool(requirement: str, program: str) -> Path:
    """A program from PyPI in an environment of its own, made once."""
    name = requirement.replace("==", "-")
    folder = Layout().root / "tools" / name
    path = folder / "bin" / program
    with turn(name, Layout().root / "turns"):
        if path.exists():
            return path
        venv.create(folder, with_pip=True, clear=True)
        done = subprocess.run(
            [folder / "bin" / "python", "-m", "pip", "install", "--quiet", requirement],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(f"{requirement} cannot be installed: {done.stderr}", UNCHECKED)
    return path
