"""``make publish``: builds and pushes the images of a stack, and pins them in its stack file.

Needs no cluster. A version that has a digest is published already. ``OUT`` is a file for the images
that were published: a JSON list of objects with the keys ``stack``, ``service``, ``name`` and
``digest``.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from commands.buildx import PROVENANCE_ARGUMENT, build_options, buildx, registry_cache
from commands.errors import FAILED, CommandError, report_errors
from commands.masked_output import run_masked
from commands.out_option import out_file
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from commands.registry import login
from commands.secret_file import secret_file
from commands.service_option import selected_services
from commands.stack_file import ReleaseFile
from commands.stack_lock import hold_lock
from commands.supply_chain.image import build_of, build_secrets, with_builder
from components.service.image_build import ImageBuild
from local import files
from settings import PROJECT, Settings, load
from settings.project import project_name
from settings.stack_file import PROJECT_FOLDER


@dataclass(frozen=True)
class PublishedImage:
    """An image that was published."""

    stack: str
    service: str
    name: str
    """``registry/repository``, without a tag."""
    digest: str


def publish(stack: str, service: str) -> Iterator[tuple[PublishedImage, str]]:
    """Publish the versions without a digest of a service, or of all.

    Yields each image with a message.
    """
    settings = load(stack, check_sources=True)
    builds = [
        (one, key, version.version, build_of(one, version.version, settings))
        for one in selected_services(settings, service)
        for key, version in one.release.versions.items()
        if version.digest is None
    ]
    if not builds:
        return
    variables = {**os.environ, **with_builder()}
    variables |= registry_login(stack, settings, variables)
    for one, key, version, build in builds:
        secrets = build_secrets(one, stack, settings)
        name = settings.image_name(one)
        options = (
            *_attestations(build),
            *(registry_cache(name) if settings.builder.cache == "registry" else ()),
            *build_options(one, build, {id_: secret_file(text) for id_, text in secrets.items()}),
            build.context,
        )
        digest = _push(f"{name}:{version}", options, secrets.values(), variables)
        file = ReleaseFile(stack, one.name)
        file.pin(key, digest).save()
        image = PublishedImage(stack, one.name, name, digest)
        yield image, f"{file.path.name}: {one.name}: {key} {version} is {digest}"


def missing_digests(settings: Settings) -> Iterator[str]:
    """Yield an error for each version of the services that is not published."""
    for service in settings.services.values():
        for key, version in service.release.versions.items():
            if version.digest is None:
                yield (
                    f"{PROJECT}:services.{service.name}.release.{key}.digest is missing: "
                    f"`make publish` builds {version.version} and writes it"
                )


def registry_login(
    stack: str, settings: Settings, variables: Mapping[str, str]
) -> Mapping[str, str]:
    """Environment variables with the credentials of the registry, if the settings have any."""
    if settings.registry.credentials is None:
        return {}
    prerequisites = Prerequisites(settings)
    prerequisites.prepare_cli()
    pulumi = Stack(stack, {**os.environ, **prerequisites.variables()})
    return login(settings.registry, pulumi, variables)


def _push(
    tag: str, options: Iterable[str], secrets: Iterable[str], variables: Mapping[str, str]
) -> str:
    """Build and push an image; return its digest."""
    with TemporaryDirectory(prefix="slipway-") as folder:
        metadata = Path(folder) / "metadata.json"
        to_registry = ("--push", "--tag", tag, "--metadata-file", str(metadata))
        command = [*buildx(variables), "build", *to_registry, *options]
        # A step that fails may print a secret.
        if run_masked(command, secrets, variables, PROJECT_FOLDER) != 0:
            raise CommandError(f"the image {tag} was not published", FAILED)
        return json.loads(metadata.read_text())["containerimage.digest"]


def _attestations(build: ImageBuild) -> Iterator[str]:
    if mode := build.arguments.get(PROVENANCE_ARGUMENT):
        yield f"--attest=type=provenance,{mode}"
    else:
        yield "--provenance=false"


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Publish the images; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.publish", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--service", default="")
    parser.add_argument("--out", type=out_file, help="file of the published images")
    options = parser.parse_args(arguments)
    images: list[PublishedImage] = []
    with hold_lock(f"{project_name()}-{options.stack}"):
        for image, message in publish(options.stack, options.service):
            images.append(image)
            print(message)
    if not images:
        print("every version is published")
    if options.out:
        files.write(options.out, json.dumps([asdict(image) for image in images]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
