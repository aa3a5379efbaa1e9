"""Programs that run in a container of ``make dev``, compiled on this machine."""

from pathlib import Path

from commands.errors import FAILED, CommandError
from commands.go import Go
from commands.go_sources import GoSource
from settings import Service
from settings.source import source_folder

RELOADER = Path(__file__).parent / "reloader" / "main.go"


class BuildError(Exception):
    """The program does not compile. The message has the compiler's errors."""


class Program:
    """The program of a service, compiled for Linux as in its image.

    ``architecture`` is a ``GOARCH``, ``out`` a folder. Raises :class:`CommandError` for a service
    with cgo, or without a Go program.
    """

    def __init__(self, service: Service, architecture: str, out: Path) -> None:
        assert service.source  # noqa: S101  # DevLoop refuses a service without one
        if service.image.build.cgo:
            key = f"slipway:services.{service.name}.image.build.cgo"
            raise CommandError(f"{key} is true: `make dev` builds without cgo")
        source = GoSource(service, service.source)
        self.context = source_folder(source.program.context).resolve()
        """Folder with all files of the build."""
        self.file = out / service.name
        self._architecture = architecture
        self._go = Go(source.folder)
        build, *flags, package = source.build_arguments()
        self._arguments = (build, *flags, "-o", str(self.file), package)

    def build(self) -> None:
        """Write :attr:`file`. Raises :class:`BuildError`."""
        _build(self._go, self._arguments, self._architecture)


def build_reloader(architecture: str, out: Path) -> Path:
    """Compile the program that runs a service in its container; return its file."""
    file = out / "reloader"
    arguments = ("build", "-ldflags", "-s -w", "-o", str(file), RELOADER.name)
    try:
        _build(Go(RELOADER.parent), arguments, architecture)
    except BuildError as error:
        raise CommandError(f"the reloader does not compile: {error}", FAILED) from None
    return file


def _build(go: Go, arguments: tuple[str, ...], architecture: str) -> None:
    done = go.run(*arguments, CGO_ENABLED="0", GOOS="linux", GOARCH=architecture)
    if done.returncode != 0:
        raise BuildError(done.stderr.strip())
