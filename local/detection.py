"""What this machine already has of what `pulumi up` needs: that is used, and not built."""

import os
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local.layout import Layout

_DOCKER_SOCKET = "unix:///var/run/docker.sock"
_ENGINE_TIMEOUT = 1.0


@dataclass(frozen=True)
class Machine:
    """What is there, and so need not be made.

    `cluster`: the user's `KUBECONFIG` names one. `docker`: an engine answers. `pulumi`: a CLI is on
    the PATH that can get its plugins. `plugins`: they are there, or can be downloaded.
    """

    cluster: bool
    docker: bool
    pulumi: bool
    plugins: bool

    @property
    def needs_node(self) -> bool:
        """Whether a Kubernetes node has to run here."""
        return not self.cluster

    @property
    def needs_builder(self) -> bool:
        """Whether BuildKit has to run here."""
        return not self.docker

    @property
    def needs_services(self) -> bool:
        """Whether anything has to run here."""
        return self.needs_node or self.needs_builder

    @property
    def needs_pulumi(self) -> bool:
        """Whether the Pulumi CLI has to be built."""
        return not self.pulumi

    @property
    def needs_plugins(self) -> bool:
        """Whether Pulumi's plugins have to be stood in for."""
        return not self.plugins


def detect(at: Layout, variables: Mapping[str, str] = os.environ) -> Machine:
    """Looks at `variables` and asks the Docker socket; takes milliseconds.

    A CLI with the Python language host beside it came with its plugins. `SLIPWAY_PLUGINS=off` says
    that plugins can be downloaded although there is no such host.
    """
    path = _path_without(at.bin, variables.get("PATH", os.defpath))
    plugins = (
        variables.get("SLIPWAY_PLUGINS") == "off"
        or shutil.which("pulumi-language-python", path=path) is not None
    )
    return Machine(
        cluster=_names_foreign_cluster(variables.get("KUBECONFIG", ""), at),
        docker=_engine_answers(variables.get("DOCKER_HOST") or _DOCKER_SOCKET),
        pulumi=plugins and shutil.which("pulumi", path=path) is not None,
        plugins=plugins,
    )


def _names_foreign_cluster(kubeconfig: str, at: Layout) -> bool:
    named = [Path(entry) for entry in kubeconfig.split(os.pathsep) if entry]
    return any(path.exists() and path.resolve() != at.kubeconfig.resolve() for path in named)


def _engine_answers(host: str) -> bool:
    parts = urlsplit(host)
    try:
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_ENGINE_TIMEOUT)
                connection.connect(parts.path)
        elif parts.hostname and parts.port:
            socket.create_connection((parts.hostname, parts.port), _ENGINE_TIMEOUT).close()
        else:
            # ssh:// and the like: the user set it on purpose.
            return True
    except OSError:
        return False
    return True


def _path_without(folder: Path, path: str) -> str:
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if entry != str(folder))
