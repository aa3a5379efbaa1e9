"""``make test-app`` and ``make binaries``: test and compile the services without a container.

``test`` runs ``go vet`` and the tests with the race detector. ``binaries`` compiles the services
for Linux, macOS and Windows.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from commands.errors import CommandError, report_errors
from commands.go import Go
from commands.go_sources import GoSource, go_folders, go_sources
from commands.out_option import out_folder
from local import debian
from local.layout import Layout
from settings.stack_file import PROJECT_FOLDER

PLATFORMS = [
    f"{system}/{cpu}" for system in ("linux", "darwin", "windows") for cpu in ("amd64", "arm64")
]
COMPILER = ["gcc", "libc6-dev"]
"""Debian packages of the C compiler, which the race detector needs."""


def test(folders: Sequence[Path]) -> None:
    """Run ``go vet`` and the tests of each folder."""
    if shutil.which("gcc") is None:
        debian.install(Layout(), COMPILER, lambda step: print(step, flush=True))
    for folder in folders:
        go = Go(folder)
        go.stream("vet", "./...")
        go.stream("test", "-race", "./...", CGO_ENABLED="1")


def binaries(sources: Sequence[GoSource], out: Path) -> None:
    """Write one binary per service and platform to ``out``."""
    for source in sources:
        if source.service.image.build.cgo:
            raise CommandError(
                f"slipway:services.{source.name}.image.build.cgo is true: a program with cgo "
                "cannot be compiled for other systems"
            )
        go, (command, *flags, package) = Go(source.folder), source.build_arguments()
        for platform in PLATFORMS:
            system, cpu = platform.split("/")
            suffix = ".exe" if system == "windows" else ""
            program = out.resolve() / f"{source.name}_{source.version}_{system}_{cpu}{suffix}"
            go.stream(command, *flags, "-o", str(program), package, GOOS=system, GOARCH=cpu)
            is_below = program.is_relative_to(PROJECT_FOLDER)
            print(program.relative_to(PROJECT_FOLDER) if is_below else program, flush=True)


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task; return its exit code."""
    parser = argparse.ArgumentParser(prog="commands.go_tasks", description=__doc__)
    parser.add_argument("task", choices=["test", "binaries"])
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--service", default="")
    parser.add_argument("--out", type=out_folder, default=PROJECT_FOLDER / "out" / "bin")
    options = parser.parse_args(arguments)
    if options.task == "test":
        test(go_folders(options.stack, options.service))
    else:
        binaries(go_sources(options.stack, options.service), options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
