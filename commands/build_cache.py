"""Builds of a stack's images that begin while Pulumi starts, so that it finds them cached."""

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from commands.buildx import build_options, buildx
from components.service.image_build import ImageBuild
from settings import BuilderSettings, Service, SourceError
from settings.stack_file import PROJECT_FOLDER


@contextmanager
def filled_build_cache(
    services: Iterable[Service], builder: BuilderSettings, environment: Mapping[str, str]
) -> Iterator[None]:
    """Build the images of the services in the background; end the builds with the block.

    Pulumi's build is the same, and so takes their layers. It shows the errors, if there are any.
    """
    builds: list[subprocess.Popen[bytes]] = []
    with suppress(FileNotFoundError):  # there is no buildx
        for service, build in _builds(services, builder):
            builds.append(_start(service, build, environment))
    try:
        yield
    finally:
        for build in builds:
            build.terminate()
            build.wait()


def _start(
    service: Service, build: ImageBuild, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [
            *buildx(environment),
            *("build", "--output", "type=image,push=false"),
            *build_options(service, build),
            build.context,
        ],
        env=dict(environment),
        cwd=PROJECT_FOLDER,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _builds(
    services: Iterable[Service], builder: BuilderSettings
) -> Iterator[tuple[Service, ImageBuild]]:
    if builder.type != "buildkit" or builder.cache == "registry":
        return
    for service in services:
        build = service.image.build
        for version in service.release.built.values():
            # Pulumi has not decrypted the secrets yet.
            if service.source and not build.secrets:
                with suppress(SourceError):  # Pulumi shows it
                    yield (
                        service,
                        ImageBuild.of(
                            service.source, version.version, service.name, build, builder
                        ),
                    )
