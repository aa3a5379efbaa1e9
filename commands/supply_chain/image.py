"""Images of the services as OCI layouts."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from commands.buildx import build_options, buildx
from commands.errors import FAILED, CommandError
from commands.masked_output import run_masked
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from commands.secret_file import secret_file
from commands.service_option import selected_services
from components.service.image_build import ImageBuild
from local.detection import detect
from local.environment import environment
from local.layout import Layout
from local.node import Node
from local.progress import Display
from settings import Service, Settings, SourceError, load
from settings.source import working_tree_version
from settings.stack_file import PROJECT_FOLDER


def image(stack: str, service: str, out: Path) -> str:
    """Build images with provenance as OCI layouts; nothing is pushed.

    ``out`` is the folder of the folders ``<service>``.
    """
    settings = load(stack)
    services = built_services(settings, service)
    variables = {**os.environ, **with_builder()}
    out.mkdir(parents=True, exist_ok=True)
    for one in services:
        build = build_of(one, _version_of(one), settings)
        secrets = build_secrets(one, stack, settings)
        files = {key: secret_file(value) for key, value in secrets.items()}
        layout = layout_of(out, one.name)
        if (layout / "oci-layout").exists():
            # The builder would add the image to those of the layout.
            shutil.rmtree(layout)
        command = [
            *buildx(variables),
            *("build", "--attest", "type=provenance,mode=max"),
            *("--output", f"type=oci,tar=false,dest={layout}"),
            *build_options(one, build, files),
            build.context,
        ]
        # A step that fails may print a secret.
        if run_masked(command, secrets.values(), variables, PROJECT_FOLDER) != 0:
            raise CommandError(f"the image of {one.name} does not build", FAILED)
    names = ", ".join(one.name for one in services)
    return f"the images and their provenance are in {out}: {names}"


def layout_of(out: Path, service: str) -> Path:
    """Folder of the OCI layout of a service's image."""
    return out / service


def built_services(settings: Settings, name: str) -> Sequence[Service]:
    """Services with a source: the one with the name, or all."""
    services = [one for one in selected_services(settings, name) if one.source]
    if not services:
        subject = f"SERVICE={name} has no" if name else "no service has a"
        raise CommandError(f"{subject} source to build: set slipway:services.<name>.source")
    return services


def _version_of(service: Service) -> str:
    assert service.source is not None  # noqa: S101  # of built_services
    release = service.release
    built = next((one.version for one in release.built.values()), release.stable.version)
    return working_tree_version(service.source) or built


def build_of(service: Service, version: str, settings: Settings) -> ImageBuild:
    """Return the build of a version. Raises :class:`CommandError`."""
    assert service.source is not None  # noqa: S101  # a version that is built has a source
    try:
        return ImageBuild.of(
            service.source, version, service.name, service.image.build, settings.builder
        )
    except SourceError as error:
        raise CommandError(f"slipway:services.{service.name}.{error}") from None


def build_secrets(service: Service, stack: str, settings: Settings) -> Mapping[str, str]:
    """Return the decrypted build secrets by their names."""
    if not service.image.build.secrets:
        return {}
    prerequisites = Prerequisites(settings)
    prerequisites.prepare_cli()
    pulumi = Stack(stack, {**os.environ, **prerequisites.variables()})
    path = f"services.{service.name}.image.build.secrets"
    return {name: pulumi.secret(f'{path}["{name}"]') for name in service.image.build.secrets}


def with_builder() -> Mapping[str, str]:
    """Start BuildKit if the machine has no builder; return the environment variables for it.

    On a bare machine, the registry is started too.
    """
    layout = Layout()
    has = replace(detect(layout), cluster=True, pulumi=True, plugins=True)
    with Display(Console(stderr=True)) as display:
        Node(layout, has).up(display)
    return environment(machine=has)
