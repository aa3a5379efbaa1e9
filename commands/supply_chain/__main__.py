"""``python -m commands.supply_chain <task>``: checks and documents the service's dependencies.

``audit``: verify Go modules by checksum, look up vulnerabilities of Python packages.
``vulncheck``: run govulncheck. ``staticcheck``: run staticcheck. ``sbom``: write a CycloneDX SBOM.
``image``: build an image archive. ``scan``: run Trivy on that archive.

Exit code 4: not checked, because a database or a tool is not available.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from commands.errors import report_errors
from commands.supply_chain.image import image
from commands.supply_chain.sbom import sbom
from commands.supply_chain.vulnerabilities import audit, scan, staticcheck, vulncheck
from settings.stack_file import PROJECT_FOLDER

OUT = PROJECT_FOLDER / "out"


def _run(options: argparse.Namespace) -> str:
    match options.task:
        case "audit":
            return audit()
        case "vulncheck":
            return vulncheck()
        case "staticcheck":
            return staticcheck()
        case "sbom":
            return sbom(options.out or OUT / "sbom.json")
        case "image":
            return image(options.out or OUT / "image.tar")
    return scan(options.image)


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task; return its exit code."""
    parser = argparse.ArgumentParser(prog="commands.supply_chain", description=__doc__)
    tasks = ("audit", "vulncheck", "staticcheck", "sbom", "image", "scan")
    parser.add_argument("task", choices=tasks)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--image", type=Path, default=OUT / "image.tar")
    print(_run(parser.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
