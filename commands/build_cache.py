"""Builds of a stack's images that begin while Pulumi starts, so that it finds them cached."""

import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime

from commands.buildx import build_options, buildx
from components.service.image_build import ImageBuild
from settings import BuilderSettings, Service, SourceError
from settings.stack_file import PROJECT_FOLDER


@contextmanager
def filled_build_cache(
    services: Iterable[Service],
    builder: BuilderSettings,
    environment: Mapping[str, str],
    deployed: Mapping[str, Collection[str]],
    since: str,
) -> Iterator[None]:
    """Build the images of the services in the background; end the builds with the block.

    Pulumi's build is the same, and so takes their layers. It shows the errors, if there are any.
    ``deployed`` has the versions of each service that the update at the time ``since``, in ISO
    8601, has deployed: they are built only if their sources have changed.
    """
    builds: list[subprocess.Popen[bytes]] = []
    with suppress(FileNotFoundError):  # there is no buildx
        for service, version, build in _builds(services, builder):
            if version not in deployed.get(service.name, ()) or _has_changed(build.context, since):
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


def _has_changed(folder: str, since: str) -> bool:
    """True if a file was changed, added or removed. A file with an older time is not seen."""
    root, seconds = PROJECT_FOLDER / folder, datetime.fromisoformat(since).timestamp()
    # Pulumi shows why a file cannot be read.
    with suppress(OSError):
        return any(path.lstat().st_mtime > seconds for path in (root, *root.rglob("*")))
    return True


def _builds(
    services: Iterable[Service], builder: BuilderSettings
) -> Iterator[tuple[Service, str, ImageBuild]]:
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
                        version.version,
                        ImageBuild.of(
                            service.source, version.version, service.name, build, builder
                        ),
                    )
