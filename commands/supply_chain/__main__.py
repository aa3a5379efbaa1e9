"""``python -m commands.supply_chain <task>``: checks, documents and pins the dependencies.

``audit``: verify Go modules by checksum, look up vulnerabilities of Python packages.
``bump``: lock Python packages with hashes and images with digests.
``vulncheck``: run govulncheck. ``staticcheck``: run staticcheck. ``sbom``: write CycloneDX SBOMs.
``image``: build images. ``scan``: run Trivy on them, the manifests and the sources.

Exit code 4: not checked, because a database or a tool is not available.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from commands.errors import report_errors
from commands.go_sources import go_folders, go_sources
from commands.out_option import out_folder
from commands.supply_chain.bump import bump
from commands.supply_chain.image import image
from commands.supply_chain.sbom import sbom
from commands.supply_chain.scan import scan
from commands.supply_chain.vulnerabilities import audit, staticcheck, vulncheck
from local.environment import environment
from settings.stack_file import PROJECT_FOLDER

OUT = PROJECT_FOLDER / "out"
IMAGES = OUT / "images"

TASKS: Mapping[str, Callable[[argparse.Namespace], str]] = {
    "audit": lambda options: audit(_folders(options)),
    "bump": lambda _: bump({**os.environ, **environment()}),
    "vulncheck": lambda options: vulncheck(_folders(options)),
    "staticcheck": lambda options: staticcheck(_folders(options)),
    "sbom": lambda options: sbom(
        go_sources(options.stack, options.service), options.out or OUT / "sbom"
    ),
    "image": lambda options: image(options.stack, options.service, options.out or IMAGES),
    "scan": lambda options: scan(options.stack, options.service, options.out or IMAGES),
}


def _folders(options: argparse.Namespace) -> Sequence[Path]:
    return go_folders(options.stack, options.service)


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task; return its exit code."""
    parser = argparse.ArgumentParser(prog="commands.supply_chain", description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--service", default="")
    parser.add_argument("--out", type=out_folder, help="output folder; of scan, that of the images")
    options = parser.parse_args(arguments)
    print(TASKS[options.task](options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
