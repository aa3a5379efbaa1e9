"""Init containers and sidecars of a service's pods."""

from decimal import Decimal
from typing import TYPE_CHECKING

from components.container import SECURITY_CONTEXT, resource_requirements
from components.service.env import encrypted_values, environment, environment_from
from components.service.probe import container_probes
from settings import InitContainer, Ports, Service, Sidecar

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import ContainerArgsDict, ContainerPortArgsDict


_STORAGE = Decimal(2**20)
"""Bytes of files that a container may write beside its volumes."""


def init_containers(service: Service, secret: str) -> "list[ContainerArgsDict]":
    """Return the init containers. ``secret`` has the encrypted values of the environment."""
    return [_container(one, secret) for one in service.init_containers]


def sidecars(service: Service, secret: str) -> "list[ContainerArgsDict]":
    """Return the sidecars. ``secret`` has the encrypted values of the environment."""
    return [_sidecar(one, secret) for one in service.sidecars]


def encrypted_environment(service: Service) -> dict[str, str]:
    """Return the encrypted variables of all containers, by their key in the service's Secret."""
    values = encrypted_values(service.env)
    for container in (*service.init_containers, *service.sidecars):
        values |= encrypted_values(container.env, _prefix(container))
    return values


def container_ports(ports: Ports) -> "list[ContainerPortArgsDict]":
    """Return the ports of a container."""
    return [
        {"name": name, "container_port": port, "protocol": "TCP"} for name, port in ports.items()
    ]


def _prefix(container: InitContainer) -> str:
    return f"{container.name}."


def _sidecar(sidecar: Sidecar, secret: str) -> "ContainerArgsDict":
    return {
        **_container(sidecar, secret),
        "restart_policy": "Always",
        "ports": container_ports(sidecar.ports) or None,
        **container_probes(sidecar.probes, sidecar.ports),
    }


def _container(container: InitContainer, secret: str) -> "ContainerArgsDict":
    return {
        "name": container.name,
        "image": container.image,
        "image_pull_policy": "IfNotPresent",
        "command": [*container.command] or None,
        "args": [*container.args] or None,
        "env": environment(container.env, secret, _prefix(container)) or None,
        "env_from": environment_from(container.env_from),
        "resources": resource_requirements(container.resources, _STORAGE),
        "security_context": SECURITY_CONTEXT,
        "volume_mounts": [
            {
                "name": mount.name,
                "mount_path": mount.mount_path,
                "sub_path": mount.sub_path,
                "read_only": mount.read_only or None,
            }
            for mount in container.volume_mounts
        ]
        or None,
    }
