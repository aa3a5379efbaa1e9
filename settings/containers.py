"""``initContainers`` and ``sidecars`` of a service."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from settings.env import Env, EnvFrom
from settings.errors import FieldError
from settings.ports import Ports
from settings.probes import Probes
from settings.resources import ResourceList, ResourceRequirements
from settings.section import Section
from settings.string_formats import DnsLabel, FilePath, RelativePath, StringFormat

Command = Annotated[
    tuple[Annotated[str, Field(max_length=4096)], ...], Field(strict=False, max_length=100)
]
"""Program or arguments. They are not passed to a shell."""
PinnedImage = Annotated[
    str,
    StringFormat(
        "an image with its registry and digest, like ghcr.io/org/name:1.0@sha256:…",
        r"[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+"
        r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?@sha256:[0-9a-f]{64}",
        500,
    ),
]


class ContainerResources(ResourceRequirements):
    """Resource requests and limits of a container."""

    requests: ResourceList = ResourceList(cpu="50m", memory="64Mi")
    """Resources reserved for the container."""
    limits: ResourceList = ResourceList(cpu="200m", memory="128Mi")
    """Maximum resources the container may use."""


class VolumeMount(Section):
    """Mount of a volume of the service."""

    name: DnsLabel
    """Name in `volumes`; `config`, `secrets` and `tmp` are those of the service."""
    mount_path: FilePath
    """Path in the container."""
    sub_path: RelativePath | None = None
    """Path in the volume. Default: its root."""
    read_only: bool = False
    """Mounts the volume read-only."""


class InitContainer(Section):
    """Container that must succeed before the service's container starts."""

    name: DnsLabel
    """Name of the container."""
    image: PinnedImage
    """Image with digest."""
    command: Command = ()
    """Program. Default: that of the image."""
    args: Command = ()
    """Arguments. Default: those of the image."""
    env: Env = {}
    """Environment variables."""
    env_from: EnvFrom = ()
    """Objects whose keys all become variables."""
    resources: ContainerResources = ContainerResources.model_construct()
    volume_mounts: Annotated[tuple[VolumeMount, ...], Field(strict=False, max_length=20)] = ()
    """Volumes of the service in this container. `tmp` is not mounted by default."""


class Sidecar(InitContainer):
    """Container that starts before the service's and ends after it."""

    ports: Ports = {}
    """Container ports by name. Names and numbers must differ from those of the service."""
    probes: Probes = Probes.model_construct()

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from self.probes.port_errors(self.ports, "probes")


InitContainers = Annotated[tuple[InitContainer, ...], Field(strict=False, max_length=20)]
Sidecars = Annotated[tuple[Sidecar, ...], Field(strict=False, max_length=20)]
