"""Detects what the machine already provides: that is used instead of being built here."""

import os
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local.errors import LocalError
from local.layout import Layout

_DOCKER_SOCKET = "unix:///var/run/docker.sock"
_CONNECT_TIMEOUT = 1.0
"""Seconds."""


@dataclass(frozen=True)
class Machine:
    """Prerequisites that the machine provides.

    `cluster`: `KUBECONFIG` names a cluster of the user. `docker`: a Docker engine accepts
    connections. `pulumi`: a Pulumi CLI is on the PATH, with its plugins. `plugins`: Pulumi's
    plugins are installed or can be downloaded.
    """

    cluster: bool
    docker: bool
    pulumi: bool
    plugins: bool

    @property
    def needs_node(self) -> bool:
        """True if a Kubernetes node has to run here."""
        return not self.cluster

    @property
    def needs_builder(self) -> bool:
        """True if BuildKit has to run here."""
        return not self.docker

    @property
    def needs_services(self) -> bool:
        """True if any daemon has to run here."""
        return self.needs_node or self.needs_builder

    @property
    def needs_pulumi(self) -> bool:
        """True if the Pulumi CLI has to be built."""
        return not self.pulumi

    @property
    def needs_plugins(self) -> bool:
        """True if Pulumi's plugins have to be installed from here."""
        return not self.plugins


def detect(paths: Layout, variables: Mapping[str, str] = os.environ) -> Machine:
    """Inspect `variables` and connect to the Docker socket; takes milliseconds.

    A Pulumi CLI counts as complete if the Python language host is beside it.
    `SLIPWAY_PLUGINS=off` declares that Pulumi can download its plugins. Raises `LocalError` for an
    invalid `SLIPWAY_PULL`, before anything is built.
    """
    pulls_images(variables)
    path = _path_without(paths.bin, variables.get("PATH", os.defpath))
    plugins = (
        variables.get("SLIPWAY_PLUGINS") == "off"
        or shutil.which("pulumi-language-python", path=path) is not None
    )
    return Machine(
        cluster=_names_other_cluster(variables.get("KUBECONFIG", ""), paths),
        docker=has_docker_engine(variables),
        pulumi=plugins and shutil.which("pulumi", path=path) is not None,
        plugins=plugins,
    )


def pulls_images(variables: Mapping[str, str] = os.environ) -> bool:
    """False if `SLIPWAY_PULL=off` declares that no image can be pulled.

    Raises `LocalError` for another value.
    """
    value = variables.get("SLIPWAY_PULL", "")
    if value not in ("", "off"):
        raise LocalError(f"SLIPWAY_PULL is {value}: use off, or unset it.")
    return not value


def has_docker_engine(variables: Mapping[str, str] = os.environ) -> bool:
    """True if a Docker engine accepts connections."""
    return _accepts_connections(variables.get("DOCKER_HOST") or _DOCKER_SOCKET)


def _names_other_cluster(kubeconfig: str, paths: Layout) -> bool:
    named = [Path(entry) for entry in kubeconfig.split(os.pathsep) if entry]
    return any(path.exists() and path.resolve() != paths.kubeconfig.resolve() for path in named)


def _accepts_connections(host: str) -> bool:
    parts = urlsplit(host)
    try:
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_CONNECT_TIMEOUT)
                connection.connect(parts.path)
        elif parts.hostname and parts.port:
            socket.create_connection((parts.hostname, parts.port), _CONNECT_TIMEOUT).close()
        else:
            # Such as ssh://: the user configured it deliberately.
            return True
    except OSError:
        return False
    return True


def _path_without(folder: Path, path: str) -> str:
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if entry != str(folder))
