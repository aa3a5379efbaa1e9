"""``python -m commands.supply_chain``: what the service and its image are made of, and its flaws.

``audit``: modules are what their checksums say, and no Python package has a known flaw.
``vulncheck``: no Go function with a known flaw is called. ``staticcheck``: no bug that it knows.
``sbom``: the service's modules as CycloneDX. ``image``: an archive of the image. ``scan``: Trivy
over that archive.

Exit code 4: nothing was checked, for a database or a tool is out of reach.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from commands.command import command
from commands.stack_file import PROJECT
from commands.supply_chain.flaws import audit, scan, staticcheck, vulncheck
from commands.supply_chain.image import image
from commands.supply_chain.sbom import sbom

OUT = PROJECT / "out"


def _run(given: argparse.Namespace) -> str:
    match given.task:
        case "audit":
            return audit()
        case "vulncheck":
            return vulncheck()
        case "staticcheck":
            return staticcheck()
        case "sbom":
            return sbom(given.out or OUT / "sbom.json")
        case "image":
            return image(given.out or OUT / "image.tar")
    return scan(given.image)


@command
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
