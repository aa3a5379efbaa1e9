"""Command line of buildx."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from components.service.image_build import ImageBuild
from settings import Service

PROVENANCE_ARGUMENT = "BUILDKIT_ATTEST_PROVENANCE"
"""Build argument that requests a provenance attestation."""


def buildx(environment: Mapping[str, str]) -> Sequence[str]:
    """Command of buildx: the program if it is on the path, otherwise Docker's plugin."""
    if program := shutil.which("buildx", path=environment.get("PATH")):
        return [program]
    return ["docker", "buildx"]


def registry_cache(name: str) -> Iterator[str]:
    """Options of ``buildx build`` for ``builder.cache: registry``. ``name`` is the image's."""
    cache = f"type=registry,ref={name}:buildcache"
    yield from ("--cache-from", cache, "--cache-to", f"{cache},mode=max")


def build_options(
    service: Service, build: ImageBuild, secrets: Mapping[str, Path] | None = None
) -> Iterator[str]:
    """Options of ``buildx build`` for an image of a service, without its output.

    ``secrets`` are the files with the values of the build secrets.
    """
    yield from ("--file", build.dockerfile)
    for name, value in build.arguments.items():
        if name != PROVENANCE_ARGUMENT:
            yield from ("--build-arg", f"{name}={value}")
    for name, file in (secrets or {}).items():
        yield from ("--secret", f"id={name},src={file}")
    if build.target:
        yield from ("--target", build.target)
    if service.image.platforms:
        yield from ("--platform", ",".join(service.image.platforms))
