"""``make built-image``: name and digest of the image that an update with a plan has built.

Printed as outputs of a workflow job, ``name=…`` and ``digest=…``. Prints none if the plan builds no
image: a workflow can attest only the images that it built itself.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from commands.errors import FAILED, CommandError, report_errors
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from commands.release import VERSION_FILE
from settings import load

BUILDERS = ("docker-build:index:Image", "docker:index/image:Image")
BUILT = ("create", "update", "replace", "create-replacement")
"""Steps of a plan that build an image."""


def builds_image(plan: Mapping[str, Any]) -> bool:
    """Return True if a saved plan builds an image."""
    return any(
        urn.split("::")[2].rpartition("$")[2] in BUILDERS
        and not set(BUILT).isdisjoint(resource.get("steps", ()))
        for urn, resource in plan["resourcePlans"].items()
    )


def of_version(outputs: Mapping[str, Any], version: str) -> tuple[str, str]:
    """Name and digest of the image of the track that runs ``version``."""
    for track in ("stable", "canary"):
        running = outputs.get(track) or {}
        if running.get("version") == version:
            reference, _, digest = running["image"].partition("@")
            return reference.removesuffix(f":{version}"), digest
    raise CommandError(f"no track runs {version}, the version in app/VERSION", FAILED)


def _read(plan: Path) -> Mapping[str, Any]:
    try:
        return json.loads(plan.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"PLAN={plan} cannot be read: {error}") from None


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the image; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.built_image", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="file to append the outputs to")
    options = parser.parse_args(arguments)
    settings = load(options.stack)
    if not builds_image(_read(options.plan)):
        print("no image was built")
        return 0
    stack = Stack(options.stack, {**os.environ, **Prerequisites(settings).variables()})
    name, digest = of_version(stack.outputs(), VERSION_FILE.read_text().strip())
    lines = f"name={name}\ndigest={digest}\n"
    print(lines, end="")
    if options.out:
        with options.out.open("a") as out:
            out.write(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
