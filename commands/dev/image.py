"""Images of ``make dev``: the one that the service runs, and the reloader's."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.buildx import buildx
from commands.errors import FAILED, CommandError
from commands.registry import inspect, published_digest
from local import files

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_DOCKERFILE = 'FROM scratch\nCOPY reloader /reloader\nENTRYPOINT ["/reloader"]\n'


@dataclass(frozen=True)
class DeployedImage:
    """The image of a service, for one of its platforms."""

    architecture: str
    """``GOARCH``; that of this machine if the image is for several."""
    entrypoint: Sequence[str]
    arguments: Sequence[str]

    @classmethod
    def read(cls, reference: str, environment: Mapping[str, str]) -> "DeployedImage":
        """Read the configuration of an image from its registry."""
        text = inspect(reference, environment, "--format", "{{json .Image}}")
        if text is None:
            raise CommandError(f"{reference} is not in its registry: run `make up`")
        image: dict[str, Any] = json.loads(text)
        if "config" not in image:  # by platform
            machine = _ARCHITECTURES.get(platform.machine(), platform.machine())
            image = image.get(f"linux/{machine}") or next(iter(image.values()))
        config = image["config"]
        return cls(image["architecture"], config.get("Entrypoint") or [], config.get("Cmd") or [])

    def command(self, container: Mapping[str, Any]) -> Sequence[str]:
        """The command of a container of the image, with arguments."""
        command, arguments = container.get("command"), container.get("args")
        if arguments is None:
            arguments = self.arguments if command is None else []
        return [*(self.entrypoint if command is None else command), *arguments]


def reloader_image(
    repository: str, reloader: Path, architecture: str, environment: Mapping[str, str]
) -> str:
    """Push the reloader, unless the repository has it; return its reference with a digest."""
    tag = f"dev-{hashlib.sha256(reloader.read_bytes()).hexdigest()[:12]}"
    digest = published_digest(repository, tag, environment)
    if digest is None:
        files.write(reloader.parent / "Dockerfile", _DOCKERFILE)
        done = subprocess.run(
            [
                *buildx(environment),
                *("build", "--push", "--provenance=false", f"--platform=linux/{architecture}"),
                *("--tag", f"{repository}:{tag}", str(reloader.parent)),
            ],
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(f"{repository}:{tag} was not pushed: {done.stderr.strip()}", FAILED)
        digest = published_digest(repository, tag, environment)
    return f"{repository}:{tag}@{digest}"
