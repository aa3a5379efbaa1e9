"""Process of an image: what a container runtime runs without settings of its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from commands.errors import CommandError
from commands.registry import inspect
from settings import Service

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH of an image without one, as of container runtimes."""


@dataclass(frozen=True)
class ImageProcess:
    """Program, variables and working directory of an image."""

    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    """``CMD`` of the image."""
    environment: Mapping[str, str] | None = None
    working_directory: str = "/"

    def command(self, service: Service) -> tuple[str, ...]:
        """Command line with the settings of ``service``, as Kubernetes combines both."""
        entrypoint = service.command or self.entrypoint
        arguments = service.args or (() if service.command else self.arguments)
        return (*entrypoint, *arguments)


def image_process(reference: str, environment: Mapping[str, str]) -> ImageProcess:
    """Read the process of an image from its registry. Raises :class:`CommandError`."""
    text = inspect(reference, environment, "--format", "{{json .Image}}")
    if text is None:
        raise CommandError(f"{reference} is not in the registry: `make publish` builds it")
    image: dict[str, Any] = json.loads(text)
    if "config" not in image:  # of several platforms
        image = next(iter(image.values()))
    config: dict[str, Any] = image["config"]
    variables = (one.partition("=") for one in config.get("Env") or ())
    return ImageProcess(
        tuple(config.get("Entrypoint") or ()),
        tuple(config.get("Cmd") or ()),
        {"PATH": DEFAULT_PATH, **{name: value for name, _, value in variables}},
        config.get("WorkingDir") or "/",
    )
