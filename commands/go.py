"""The Go toolchain, and tools that are written in Go."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from commands.errors import FAILED, UNCHECKED, CommandError
from commands.stack_lock import hold_lock
from local import toolchain
from local.layout import Layout
from settings import workspace_of
from settings.stack_file import PROJECT_FOLDER


class Go:
    """Runs Go and its tools in a source folder, with this project's caches."""

    def __init__(self, folder: Path = PROJECT_FOLDER) -> None:
        self._folder = folder
        self._layout = Layout()
        self._go = toolchain.find(self._layout) or toolchain.install(self._layout)
        self._variables = {
            **self._go.variables(self._layout),
            # As in the image: a newer Go that go.mod requires is downloaded.
            "GOTOOLCHAIN": "auto",
            "GOWORK": "" if workspace_of(folder) else "off",
        }

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run ``go`` and return its output."""
        return self._run(str(self._go.command), *arguments, env=self._variables | variables)

    def stream(self, *arguments: str, **variables: str) -> None:
        """Run ``go`` with its output on the terminal. Raises :class:`CommandError`."""
        done = subprocess.run(
            [str(self._go.command), *arguments],
            cwd=self._folder,
            env=self._variables | variables,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(f"go {arguments[0]} of {self._folder} failed", FAILED)

    def run_tool(self, package: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the tool ``package@version``; install it first if it is missing."""
        # The flags for the source, such as -mod=readonly, are not for its tools.
        path = f"{self._go.command.parent}:/usr/bin:/bin:{self._variables.get('PATH', '')}"
        variables = {**self._variables, "GOFLAGS": "", "PATH": path}
        return self._run(self.tool(package), *arguments, env=variables)

    def tool(self, package: str) -> str:
        """Path of the tool ``package@version``; installs it if it is missing."""
        path, _, version = package.partition("@")
        name = path.rpartition("/")[2]
        folder = self._layout.root / "tools" / f"{name}-{version}"
        program = folder / name
        with hold_lock(folder.name):
            if not program.exists():
                variables = self._go.variables(self._layout)
                done = self._run(
                    *(str(self._go.command), "install", package),
                    env=variables | {"GOBIN": str(folder), "GOFLAGS": ""},
                )
                if done.returncode != 0:
                    raise CommandError(
                        f"{package} cannot be installed: {done.stderr.strip()}", UNCHECKED
                    )
        return str(program)

    def _run(self, *command: str, env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=self._folder, env=env, capture_output=True, text=True, check=False
        )
