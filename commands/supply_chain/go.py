"""The Go toolchain, on the source of the service, and tools that are written in Go."""

import subprocess

from commands.errors import UNCHECKED, CommandError
from commands.stack_lock import hold_lock
from local import toolchain
from local.layout import Layout
from settings.stack_file import PROJECT_FOLDER

APP = PROJECT_FOLDER / "app"


class Go:
    """Runs Go and its tools in the folder of the service, with this project's caches."""

    def __init__(self) -> None:
        self._layout = Layout()
        self._go = toolchain.find(self._layout) or toolchain.install(self._layout)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run ``go``."""
        return _run(str(self._go.command), *arguments, env=self._go.variables(self._layout))

    def run_tool(self, package: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the tool ``package@version``; install it first if it is missing."""
        # The flags for the service, such as -mod=readonly, are not for its tools.
        variables = self._go.variables(self._layout) | {"GOFLAGS": ""}
        path = f"{self._go.command.parent}:/usr/bin:/bin"
        variables["PATH"] = f"{path}:{variables.get('PATH', '')}"
        return _run(self.tool(package), *arguments, env=variables)

    def tool(self, package: str) -> str:
        """Path of the tool ``package@version``; installs it if it is missing."""
        path, _, version = package.partition("@")
        name = path.rpartition("/")[2]
        folder = self._layout.root / "tools" / f"{name}-{version}"
        program = folder / name
        with hold_lock(folder.name):
            if not program.exists():
                variables = self._go.variables(self._layout)
                done = _run(
                    *(str(self._go.command), "install", package),
                    env=variables | {"GOBIN": str(folder), "GOFLAGS": ""},
                )
                if done.returncode != 0:
                    raise CommandError(
                        f"{package} cannot be installed: {done.stderr.strip()}", UNCHECKED
                    )
        return str(program)


def _run(*command: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=APP, env=env, capture_output=True, text=True, check=False)
