"""Tools that are installed from PyPI."""

import subprocess
import venv
from pathlib import Path

from commands.errors import UNCHECKED, CommandError
from commands.stack_lock import hold_lock
from local.layout import Layout


def python_tool(requirement: str, program: str) -> Path:
    """Path of a program from PyPI; installs it into a virtual environment if it is missing."""
    name = requirement.replace("==", "-")
    folder = Layout().root / "tools" / name
    path = folder / "bin" / program
    with hold_lock(name):
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
