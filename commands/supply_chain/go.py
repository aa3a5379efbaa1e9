"""Go, with the service's modules and programs of its own."""

import subprocess

from commands.errors import UNCHECKED, CommandError
from commands.stack_file import PROJECT
from commands.turn import turn
from local import toolchain
from local.layout import Layout

APP = PROJECT / "app"


class Go:
    """Go with the project's caches, in the service's folder."""

    def __init__(self) -> None:
        self._at = Layout()
        self._go = toolchain.find(self._at) or toolchain.install(self._at)

    def run(self, *arguments: str, tool: bool = False) -> "subprocess.CompletedProcess[str]":
        """Run Go. A tool's own pins are not the service's, so its go.mod has no say."""
        variables = self._go.variables(self._at)
        if tool:
            variables["GOFLAGS"] = "-buildvcs=false"
        return subprocess.run(
            [str(self._go.command), *arguments],
            cwd=APP,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def tool(self, package: str) -> str:
        """The path of a program built from ``package@version``, once."""
        name, _, version = package.partition("@")
        folder = self._at.root / "tools" / f"{name.rpartition('/')[2]}-{version}"
        program = folder / name.rpartition("/")[2]
        with turn(folder.name, self._at.root / "turns"):
            if program.exists():
                return str(program)
            variables = self._go.variables(self._at) | {"GOBIN": str(folder), "GOFLAGS": ""}
            done = subprocess.run(
                [str(self._go.command), "install", package],
                cwd="/",
                env=variables,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise CommandError(f"{package} cannot be built: {done.stderr.strip()}", UNCHECKED)
        return str(program)

    def check(self, program: str) -> "subprocess.CompletedProcess[str]":
        """Run a tool over the whole service."""
        path = f"{self._go.command.parent}:/usr/bin:/bin"
        variables = self._go.variables(self._at) | {"GOFLAGS": ""}
        variables["PATH"] = f"{path}:{variables.get('PATH', '')}"
        return subprocess.run(
            [program, "./..."], cwd=APP, env=variables, capture_output=True, text=True, check=False
        )
