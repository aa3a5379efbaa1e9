"""``python -m commands.built_image``: the image that an update held to a plan has built.

Printed as a job's outputs, ``name=…`` and ``digest=…``; nothing is printed where the plan builds
none, for who deploys an image that was built elsewhere cannot say how it was made.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from commands.command import command
from commands.errors import FAILED, CommandError
from commands.ground import Ground
from commands.pulumi import Stack
from commands.release import VERSION_FILE
from settings import load

BUILDERS = ("docker-build:index:Image", "docker:index/image:Image")
BUILT = ("create", "update", "replace", "create-replacement")
"""Steps of a plan after which there is a new image."""


def is_built(plan: Mapping[str, Any]) -> bool:
    """Whether a saved plan builds an image."""
    return any(
        urn.split("::")[2].rpartition("$")[2] in BUILDERS
        and not set(BUILT).isdisjoint(one.get("steps", ()))
        for urn, one in plan["resourcePlans"].items()
    )


def of_version(outputs: Mapping[str, Any], version: str) -> tuple[str, str]:
    """Name and digest of the image that a track of the stack runs as ``version``."""
    for track in ("stable", "canary"):
        running = outputs.get(track) or {}
        if running.get("version") == version:
            reference, _, digest = running["image"].partition("@")
            return reference.removesuffix(f":{version}"), digest
    raise CommandError(f"no track runs {version}, which app/VERSION names", FAILED)


def _read(plan: Path) -> Mapping[str, Any]:
    try:
        return json.loads(plan.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"PLAN={plan} cannot be read: {error}") from None


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was built; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.built_image", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="a file that gets the lines at its end")
    given = parser.parse_args(arguments)
    settings = load(given.stack)
    if not is_built(_read(given.plan)):
        print("no image was built")
        return 0
    stack = Stack(given.stack, {**os.environ, **Ground(settings).variables()})
    name, digest = of_version(stack.outputs(), VERSION_FILE.read_text().strip())
    lines = f"name={name}\ndigest={digest}\n"
    print(lines, end="")
    if given.out:
        with given.out.open("a") as out:
            out.write(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
