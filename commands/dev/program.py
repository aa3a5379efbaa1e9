"""Program of a service, compiled on this machine."""

import subprocess
from pathlib import Path

from commands.errors import FAILED, CommandError
from local import toolchain
from local.layout import Layout
from settings import Service, SourceError, find_program
from settings.go_source import workspace_of
from settings.source import source_folder

RELOADER = Path(__file__).parent / "reloader" / "main.go"


class BuildError(Exception):
    """The program does not compile. The message has the compiler's errors."""


class Program:
    """Compiles a service for Linux, as an image without a Dockerfile does.

    ``architecture`` is a ``GOARCH``. Raises :class:`CommandError` for a service with cgo.
    """

    def __init__(self, service: Service, version: str, architecture: str, out: Path) -> None:
        assert service.source  # noqa: S101  # of the caller
        build = service.image.build
        if build.cgo:
            key = f"slipway:services.{service.name}.image.build.cgo"
            raise CommandError(f"{key} is true: `make dev` builds without cgo")
        try:
            found = find_program(service.source, build, service.name)
        except SourceError as error:
            raise CommandError(f"slipway:services.{service.name}.{error}") from None
        self.context = source_folder(found.context).resolve()
        """Folder with all files of the build."""
        self.file = out / service.name
        self._go = Go(architecture)
        self._folder = self.context / found.folder
        self._is_workspace = workspace_of(self._folder) is not None
        stamp = f" -X {found.version_variable}={version}" if found.version_variable else ""
        self._arguments = (
            *("-tags", ",".join(["timetzdata", *build.tags])),
            *("-ldflags", f"-s -w{stamp}"),
            *("-o", str(self.file), found.main_package),
        )

    def build(self) -> None:
        """Write :attr:`file`. Raises :class:`BuildError`."""
        workspace = {"GOWORK": ""} if self._is_workspace else {}
        self._go.build(self._folder, *self._arguments, **workspace)


class Go:
    """The Go compiler of this machine."""

    def __init__(self, architecture: str) -> None:
        self._layout = Layout()
        self._toolchain = toolchain.find(self._layout) or toolchain.install(self._layout)
        self._target = {"GOOS": "linux", "GOARCH": architecture}

    def build(self, folder: Path, *arguments: str, **variables: str) -> None:
        """Run ``go build`` in ``folder``. Raises :class:`BuildError`."""
        environment = {**self._toolchain.variables(self._layout), **self._target, **variables}
        done = subprocess.run(
            [str(self._toolchain.command), "build", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BuildError(done.stderr.strip())


def build_reloader(architecture: str, out: Path) -> Path:
    """Compile the program that runs a service in its container; return its file."""
    file = out / "reloader"
    try:
        Go(architecture).build(RELOADER.parent, "-ldflags", "-s -w", "-o", str(file), RELOADER.name)
    except BuildError as error:
        raise CommandError(f"the reloader does not compile: {error}", FAILED) from None
    return file
