"""Base images of a Dockerfile."""

import re
from collections.abc import Iterator
from pathlib import Path

from local.server_images import Reference

_FROM = re.compile(r"(?im)^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?")


def base_images(dockerfile: Path) -> Iterator[Reference]:
    """Yield the images of the ``FROM`` lines, except those that have a variable in their name."""
    stages = {"scratch"}
    for image, stage in _FROM.findall(dockerfile.read_text(errors="replace")):
        if image.lower() not in stages and "$" not in image:
            yield Reference.parse(_with_host_and_tag(image))
        stages.add(stage.lower())


def _with_host_and_tag(image: str) -> str:
    name = image.partition("@")[0]
    host, slash, path = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not {".", ":"} & {*host} and host != "localhost":
        name = f"docker.io/{host}/{path}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
