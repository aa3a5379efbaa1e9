"""Command line of buildx."""

import shutil
from collections.abc import Iterator, Mapping, Sequence

from components.service.image_build import ImageBuild
from settings import Service


def buildx(environment: Mapping[str, str]) -> Sequence[str]:
    """Command of buildx: the program if it is on the path, otherwise Docker's plugin."""
    if program := shutil.which("buildx", path=environment.get("PATH")):
        return [program]
    return ["docker", "buildx"]


def build_options(service: Service, build: ImageBuild) -> Iterator[str]:
    """Options of ``buildx build`` for an image of a service, without its output.

    The values of secrets are in environment variables, see :func:`secret_variable`.
    """
    yield from ("--file", build.dockerfile)
    for name, value in build.arguments.items():
        if name != "BUILDKIT_ATTEST_PROVENANCE":
            yield from ("--build-arg", f"{name}={value}")
    for name in build.secrets:
        yield from ("--secret", f"id={name},env={secret_variable(name)}")
    if build.target:
        yield from ("--target", build.target)
    if service.image.platforms:
        yield from ("--platform", ",".join(service.image.platforms))


def secret_variable(secret: str) -> str:
    """Name of the environment variable that has the value of a build secret."""
    return f"BUILD_SECRET_{secret.encode().hex()}"
