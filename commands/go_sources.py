"""Go sources of a stack's services."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from commands.errors import CommandError
from commands.service_option import selected_services
from settings import GoProgram, Service, SourceError, find_program, load
from settings.source import source_folder, working_tree_version


@dataclass(frozen=True)
class GoSource:
    """Source of a service that is a Go module or a workspace."""

    service: Service
    source: str
    """Folder, relative to the project."""

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.service.name

    @property
    def folder(self) -> Path:
        """Path of the source folder."""
        return source_folder(self.source)

    @property
    def version(self) -> str:
        """Version that the working tree builds, otherwise the stable version."""
        release = self.service.release
        built = next((one.version for one in release.built.values()), None)
        return working_tree_version(self.source) or built or release.stable.version

    @property
    def program(self) -> GoProgram:
        """Main package and version variable. Raises :class:`CommandError`."""
        try:
            return find_program(self.source, self.service.image.build, self.name)
        except SourceError as error:
            raise CommandError(f"slipway:services.{self.name}.{error}") from None

    def build_arguments(self) -> Sequence[str]:
        """Arguments of ``go`` that compile the program as its image does, without the output."""
        program = self.program
        variable = program.version_variable
        stamp = f" -X {variable}={self.version}" if variable else ""
        tags = ",".join(("timetzdata", *self.service.image.build.tags))
        flags = ("-trimpath", "-tags", tags, "-ldflags", f"-s -w{stamp}")
        return ("build", *flags, program.main_package)


def go_sources(stack: str, service: str) -> Sequence[GoSource]:
    """Return the source of ``service``, or of every service of the stack that has a Go source."""
    sources = []
    for one in selected_services(load(stack), service):
        source = one.source
        names = ("go.mod", "go.work")
        if source and any((source_folder(source) / name).is_file() for name in names):
            sources.append(GoSource(one, source))
        elif service:
            raise CommandError(
                f"SERVICE={service} has no Go source: slipway:services.{service}.source is {source}"
            )
        else:
            print(f"{one.name}: skipped, it has no Go source", flush=True)
    if not sources:
        raise CommandError(f"no service of {stack} has a Go source")
    return sources


def go_folders(stack: str, service: str) -> Sequence[Path]:
    """Return the folders of :func:`go_sources`, each once."""
    return list(dict.fromkeys(source.folder.resolve() for source in go_sources(stack, service)))
