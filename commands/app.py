"""``make test-app`` and ``make binaries``: test and compile the Go service without a container.

``test`` runs ``go vet`` and the tests with the race detector. ``binaries`` compiles the service for
Linux, macOS and Windows.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from commands.errors import FAILED, CommandError, report_errors
from local import debian, toolchain
from local.layout import Layout
from settings.stack_file import PROJECT_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

APP = PROJECT_FOLDER / "app"
PLATFORMS = [
    f"{system}/{cpu}" for system in ("linux", "darwin", "windows") for cpu in ("amd64", "arm64")
]
COMPILER = ["gcc", "libc6-dev"]
"""Debian packages of the C compiler, which the race detector needs."""


class App:
    """The source of the service and its Go toolchain."""

    def __init__(self) -> None:
        self._layout = Layout()
        self._go = toolchain.find(self._layout) or toolchain.install(self._layout)

    def test(self) -> None:
        """Run ``go vet`` and the tests."""
        if shutil.which("gcc") is None:
            debian.install(self._layout, COMPILER, lambda step: print(step, flush=True))
        self._run("vet", "./...")
        self._run("test", "-race", "./...", CGO_ENABLED="1")

    def binaries(self, out: Path) -> None:
        """Write one binary per platform to ``out``."""
        version = (APP / "VERSION").read_text().strip()
        for platform in PLATFORMS:
            system, cpu = platform.split("/")
            suffix = ".exe" if system == "windows" else ""
            program = out.resolve() / f"beacon_{version}_{system}_{cpu}{suffix}"
            self._run(
                *("build", "-trimpath", "-tags", "timetzdata,nethttpomithttp2"),
                *("-ldflags", f"-s -w -X beacon/internal/version.Version={version}"),
                *("-o", str(program), "."),
                GOOS=system,
                GOARCH=cpu,
            )
            print(
                program.relative_to(PROJECT_FOLDER)
                if program.is_relative_to(PROJECT_FOLDER)
                else program
            )

    def _run(self, *arguments: str, **variables: str) -> None:
        environment: Mapping[str, str] = {**self._go.variables(self._layout), **variables}
        result = subprocess.run(
            [str(self._go.command), *arguments], cwd=APP, env=environment, check=False
        )
        if result.returncode != 0:
            raise CommandError(f"go {arguments[0]} of app/ failed", FAILED)


@report_errors
def main() -> int:
    """Run one task; return its exit code."""
    parser = argparse.ArgumentParser(prog="commands.app", description=__doc__)
    parser.add_argument("task", choices=["test", "binaries"])
    parser.add_argument("--out", type=Path, default=PROJECT_FOLDER / "out" / "bin")
    arguments = parser.parse_args()
    app = App()
    app.test() if arguments.task == "test" else app.binaries(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
