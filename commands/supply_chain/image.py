"""The image of the service as an archive."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from commands.errors import FAILED, CommandError
from commands.registry import buildx
from commands.supply_chain.go import APP
from local.detection import detect
from local.environment import environment
from local.layout import Layout
from local.node import Node
from local.progress import Display


def image(out: Path) -> str:
    """Build the image with provenance as an OCI archive; nothing is pushed."""
    variables = {**os.environ, **_with_builder()}
    out.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *buildx(variables),
            *("build", "--attest", "type=provenance,mode=max"),
            *("--output", f"type=oci,dest={out}", str(APP)),
        ],
        env=variables,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError("the image does not build", FAILED)
    return f"the image and its provenance are in {out}"


def _with_builder() -> Mapping[str, str]:
    """Start BuildKit if the machine has no builder; return the environment variables for it."""
    layout = Layout()
    has = replace(detect(layout), cluster=True, pulumi=True, plugins=True)
    with Display(Console(stderr=True)) as display:
        Node(layout, has).up(display)
    return environment(machine=has)
