"""Software bills of materials of the services."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from commands.errors import FAILED, CommandError
from commands.go import Go
from commands.go_sources import GoSource

CYCLONEDX_GOMOD = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"


def sbom(sources: Sequence[GoSource], out: Path) -> str:
    """Write the modules that are linked into each service, as CycloneDX.

    ``out`` is the folder of the files ``<service>.json``.
    """
    out.mkdir(parents=True, exist_ok=True)
    return "\n".join(_sbom(source, out / f"{source.name}.json") for source in sources)


def _sbom(source: GoSource, out: Path) -> str:
    go = Go(source.folder)
    with TemporaryDirectory() as folder:
        binary = str(Path(folder) / source.name)
        command, *flags, package = source.build_arguments()
        built = go.run(command, *flags, "-o", binary, package)
        if built.returncode != 0:
            raise CommandError(f"{source.source} does not build: {built.stderr.strip()}", FAILED)
        written = go.run_tool(
            *(CYCLONEDX_GOMOD, "bin", "-json", "-std", "-version", f"v{source.version}"),
            *("-output", str(out.resolve()), binary),
        )
        if written.returncode != 0:
            raise CommandError(f"cyclonedx-gomod: {written.stderr.strip()}", FAILED)
    return f"CycloneDX of {source.name} {source.version}: {out}"
