"""``python -m commands.supply_chain <task>``: checks, documents and pins the dependencies.

``audit``: verify Go modules by checksum, look up vulnerabilities of Python packages.
``bump``: lock Python packages with hashes and images with digests.
``vulncheck``: run govulncheck. ``staticcheck``: run staticcheck. ``sbom``: write a CycloneDX SBOM.
``image``: build an image archive. ``scan``: run Trivy on that archive.

Exit code 4: not checked, because a database or a tool is not available.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from commands.errors import report_errors
from commands.supply_chain.bump import bump
from commands.supply_chain.image import image
from commands.supply_chain.sbom import sbom
from commands.supply_chain.vulnerabilities import audit, scan, staticcheck, vulncheck
from local.environment import environment
from settings.stack_file import PROJECT_FOLDER

OUT = PROJECT_FOLDER / "out"


TASKS: Mapping[str, Callable[[argparse.Namespace], str]] = {
    "audit": lambda _: audit(),
    "bump": lambda _: bump({**os.environ, **environment()}),
    "vulncheck": lambda _: vulncheck(),
    "staticcheck": lambda _: staticcheck(),
    "sbom": lambda options: sbom(options.out or OUT / "sbom.json"),
    "image": lambda options: image(options.out or OUT / "image.tar"),
    "scan": lambda options: scan(options.image),
}


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task; return its exit code."""
    parser = argparse.ArgumentParser(prog="commands.supply_chain", description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--image", type=Path, default=OUT / "image.tar")
    options = parser.parse_args(arguments)
    print(TASKS[options.task](options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
