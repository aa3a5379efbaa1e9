"""``make built-image``: names and digests of the images that an update with a plan built.

Printed as the output ``images`` of a workflow job: a JSON list of objects with the keys ``stack``,
``service``, ``name`` and ``digest``. Prints no output if the plan builds no image: a workflow can
attest only the images that it built itself.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from commands.errors import FAILED, CommandError, report_errors
from commands.out_option import out_file
from commands.prerequisites import Prerequisites
from commands.pulumi import IMAGE_TYPES, Stack
from commands.service_option import selected_services
from commands.workflow_output import write_output
from settings import load

BUILT = ("create", "update", "replace", "create-replacement")
"""Steps of a plan that build an image."""


def builds_image(plan: Mapping[str, Any], service: str) -> bool:
    """Return True if a saved plan builds an image of the service."""
    names = {f"{service}-{track}-image" for track in ("stable", "canary")}
    return any(
        urn.rpartition("::")[2] in names
        and urn.split("::")[2].rpartition("$")[2] in IMAGE_TYPES
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
    raise CommandError(f"no track runs {version}, the version that was built", FAILED)


def _read(plan: Path) -> Mapping[str, Any]:
    try:
        return json.loads(plan.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"PLAN={plan} cannot be read: {error}") from None


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the images; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.built_image", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--service", default="")
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--out", type=out_file, help="file to append the outputs to")
    options = parser.parse_args(arguments)
    settings, plan = load(options.stack), _read(options.plan)
    services = [
        service
        for service in selected_services(settings, options.service)
        if builds_image(plan, service.name)
    ]
    if not services:
        print("no image was built")
        return 0
    stack = Stack(options.stack, {**os.environ, **Prerequisites(settings).variables()})
    outputs = stack.outputs()["services"]
    images: list[dict[str, str]] = []
    for service in services:
        (built,) = service.release.built.values()
        name, digest = of_version(outputs[service.name], built.version)
        identity = {"stack": options.stack, "service": service.name}
        images.append({**identity, "name": name, "digest": digest})
    write_output("images", json.dumps(images), options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
