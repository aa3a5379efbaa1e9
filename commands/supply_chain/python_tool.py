"""Tools that are installed from PyPI."""

import hashlib
import subprocess
import venv
from pathlib import Path

from commands.errors import UNCHECKED, CommandError
from commands.stack_lock import hold_lock
from local.layout import Layout

TOOLS = Path(__file__).parent / "tools"
"""Requirements of each tool, with hashes. ``make bump`` writes them from the ``.in`` files."""


def python_tool(program: str) -> Path:
    """Path of a program from PyPI; installs it into a virtual environment if it is missing."""
    requirements = TOOLS / f"{program}.txt"
    name = f"{program}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    folder = Layout().root / "tools" / name
    path = folder / "bin" / program
    with hold_lock(name):
        if path.exists():
            return path
        venv.create(folder, with_pip=True, clear=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
        done = subprocess.run(
            [*pip, "--disable-pip-version-check", "--require-hashes", "-r", requirements],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(f"{program} cannot be installed: {done.stderr}", UNCHECKED)
    return path
