"""A version of a service on hosts, and its instances."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from commands.host.image_process import ImageProcess
from components.labels import Identity
from components.service.config_file import ConfigFile
from settings import SECRETS_FOLDER, HostSettings, ReleasedVersion, Service, Track, parse_quantity

FOLDER = "/etc/slipway"
"""Folder of the files on a host, with a folder for each stack."""
PROGRAMS = "/usr/local/lib/slipway"
"""Folder of the programs ``probe`` and ``network`` on a host."""
IMAGES = "/var/lib/slipway/images"
"""Folder of the images' root file systems on a host."""
MAX_PORTS = 10
"""Ports of a service that have a published port."""
_NETWORK = IPv4Address("10.90.0.0")
"""Network of the instances, a /16: the last two bytes of an address are a published port."""
_PORTS_PER_TRACK = 100
_SECOND = ("canary", "blue")
"""Tracks with the second half of the published ports of a service."""


@dataclass(frozen=True)
class DeployedTrack:
    """A version of a service, with the settings that it was released with."""

    service: Service
    role: Track
    released: ReleasedVersion
    image: str
    """Reference with digest."""
    process: ImageProcess
    namespace: str
    first_port: int
    """First published port of the service."""
    host: HostSettings
    project: str
    """Project and stack, such as ``slipway-prod``: prefix of all names on a host."""

    @property
    def folder(self) -> str:
        """Folder of the stack's files on a host."""
        return f"{FOLDER}/{self.project}"

    @property
    def identity(self) -> Identity:
        """Name, track and version, as those of the objects in a cluster."""
        suffix = self.service.release.object_track(self.role)
        return Identity(self.service.name, self.namespace, suffix, self.released.version)

    @property
    def name(self) -> str:
        """Name of the track on a host, such as ``slipway-prod.shop-canary``.

        No part of it has a dot: stacks with different prefixes have different names. The role
        refuses a host where another stack has the prefix.
        """
        return f"{self.project}.{self.identity.object_name}"

    @property
    def command(self) -> tuple[str, ...]:
        """Command line."""
        return self.process.command(self.service)

    @property
    def root(self) -> str:
        """Folder with the root file system of the image on a host."""
        digest = self.image.rpartition(":")[2]
        return f"{IMAGES}/{self.service.name}/{digest[:12]}/rootfs"

    @property
    def image_by_digest(self) -> str:
        """Reference without the tag, which skopeo accepts only alone."""
        name, _, digest = self.image.partition("@")
        return f"{name.rpartition(':')[0]}@{digest}"

    @property
    def config(self) -> ConfigFile | None:
        """Configuration file. ``None``: the service has none."""
        return ConfigFile.of(self.service)

    @property
    def secret_files(self) -> tuple[str, ...]:
        """Names of the secrets that are files in :attr:`secrets_target`."""
        return tuple(name for name, one in self.service.secrets.items() if one.as_ == "file")

    @property
    def secrets_source(self) -> str:
        """Folder on a host with the secret files, which the operator supplies."""
        return f"{self.folder}/secrets/{self.service.name}"

    @property
    def secrets_target(self) -> str:
        """Folder with the secret files, as the service sees it."""
        return f"{SECRETS_FOLDER}/{self.service.name}"

    @property
    def secret_environment(self) -> str:
        """File on a host with the secret variables, which the operator supplies."""
        return f"{self.secrets_source}.env"

    @property
    def temporary_folders(self) -> Mapping[str, int]:
        """Size in bytes of each folder in memory, by its path."""
        sizes = {"/tmp": self.service.workload.ephemeral_storage}  # noqa: S108
        for volume in self.service.volumes.values():
            if volume.empty_dir:
                sizes[volume.mount_path] = volume.empty_dir.size_limit
        return {path: int(parse_quantity(size)) for path, size in sizes.items()}

    @property
    def port_names(self) -> tuple[str, ...]:
        """Names of the ports, in the order of their published ports."""
        return tuple(sorted(self.service.ports))

    def instances(self, host: str) -> Iterator["Instance"]:
        """Yield the instances on a host."""
        for number in range(1, self.host.instances + 1):
            yield Instance(self, host, number)


@dataclass(frozen=True)
class Instance:
    """A process of a track on a host."""

    track: DeployedTrack
    host: str
    """Name of the host."""
    number: int
    """From 1."""

    @property
    def name(self) -> str:
        """Name, unique on the host, such as ``slipway-prod.shop-canary-1``."""
        return f"{self.track.name}-{self.number}"

    @property
    def unit(self) -> str:
        """Name of its systemd unit."""
        return f"{self.track.name}@{self.number}.service"

    @property
    def pod_name(self) -> str:
        """Value of the variable ``POD_NAME``, unique in the stack."""
        return f"{self.track.identity.object_name}-{self.host}-{self.number}"

    @property
    def first_port(self) -> int:
        """First published port of the instance."""
        second = self.track.identity.track in _SECOND
        return self.track.first_port + _PORTS_PER_TRACK * second + MAX_PORTS * self.number

    @property
    def published(self) -> Mapping[str, int]:
        """Port on the address of the host, by the name of the port of the service."""
        return {name: self.first_port + n for n, name in enumerate(self.track.port_names)}

    @property
    def address(self) -> str:
        """Address in the network of the host, with the runtimes ``systemd`` and ``supervisor``."""
        return str(_NETWORK + self.first_port)

    def endpoint(self, port: str) -> str:
        """Address and port that nginx and Prometheus connect to."""
        host = self.track.host.hosts[self.host]
        if self.track.host.runtime != "compose" and IPv4Address(host).is_loopback:
            return f"{self.address}:{self.track.service.ports[port]}"
        return f"{host}:{self.published[port]}"
