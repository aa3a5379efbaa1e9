"""Software bill of materials of the service."""

from pathlib import Path
from tempfile import TemporaryDirectory

from commands.errors import FAILED, CommandError
from commands.supply_chain.go import APP, Go

CYCLONEDX_GOMOD = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"


def sbom(out: Path) -> str:
    """Write the modules that are linked into the service, as CycloneDX, to ``out``."""
    go = Go()
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        binary = Path(folder) / "beacon"
        built = go.run("build", "-tags", "timetzdata,nethttpomithttp2", "-o", str(binary), ".")
        if built.returncode != 0:
            raise CommandError(f"app/ does not build: {built.stderr.strip()}", FAILED)
        version = (APP / "VERSION").read_text().strip()
        written = go.run_tool(
            *(CYCLONEDX_GOMOD, "bin", "-json", "-std", "-version", f"v{version}"),
            *("-output", str(out.resolve()), str(binary)),
        )
        if written.returncode != 0:
            raise CommandError(f"cyclonedx-gomod: {written.stderr.strip()}", FAILED)
    return f"CycloneDX of beacon {version}: {out}"
