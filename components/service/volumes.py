"""Volumes of a service's pods and their mounts."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from components.service.config_file import ConfigFile
from settings import SECRETS_FOLDER, Volume, Volumes, parse_quantity

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import (
        ProjectedVolumeSourceArgsDict,
        VolumeArgsDict,
        VolumeMountArgsDict,
    )

_READABLE_BY_GROUP = 0o440


def pod_volumes(
    volumes: Volumes,
    config_map: str | None,
    secret_files: Mapping[str, str],
    temporary_storage: str,
) -> "list[VolumeArgsDict]":
    """Return the volumes of a pod.

    ``secret_files`` has the name of the Secret for each file.
    """
    own: list[VolumeArgsDict] = []
    if config_map:
        own.append({"name": "config", "config_map": {"name": config_map}})
    if secret_files:
        projected: ProjectedVolumeSourceArgsDict = {
            "default_mode": _READABLE_BY_GROUP,
            "sources": [
                {"secret": {"name": secret, "items": [{"key": file, "path": file}]}}
                for file, secret in secret_files.items()
            ],
        }
        own.append({"name": "secrets", "projected": projected})
    own.append({"name": "tmp", "empty_dir": {"size_limit": temporary_storage}})
    return [*own, *(_volume(name, volume) for name, volume in volumes.items())]


def _volume(name: str, volume: Volume) -> "VolumeArgsDict":
    if directory := volume.empty_dir:
        medium = directory.medium or None
        return {
            "name": name,
            "empty_dir": {"size_limit": directory.size_limit, "medium": medium},
        }
    if claim := volume.persistent_volume_claim:
        return {"name": name, "persistent_volume_claim": {"claim_name": claim.claim_name}}
    if secret := volume.secret:
        return {
            "name": name,
            "secret": {"secret_name": secret.secret_name, "default_mode": _READABLE_BY_GROUP},
        }
    assert volume.config_map  # noqa: S101  # one of them is set
    return {"name": name, "config_map": {"name": volume.config_map.name}}


def volume_mounts(
    service: str, volumes: Volumes, config: ConfigFile | None, secret_files: Mapping[str, str]
) -> "list[VolumeMountArgsDict]":
    """Return the mounts of the service's container."""
    own: list[VolumeMountArgsDict] = []
    if config:
        own.append({"name": "config", "mount_path": str(config.path.parent), "read_only": True})
    if secret_files:
        path = f"{SECRETS_FOLDER}/{service}"
        own.append({"name": "secrets", "mount_path": path, "read_only": True})
    own.append({"name": "tmp", "mount_path": "/tmp"})  # noqa: S108
    return [
        *own,
        *(
            {
                "name": name,
                "mount_path": volume.mount_path,
                "sub_path": volume.sub_path,
                "read_only": volume.read_only or None,
            }
            for name, volume in volumes.items()
        ),
    ]


def storage_bytes(volumes: Volumes, temporary_storage: str) -> Decimal:
    """Return the size of all directories that count as ephemeral storage of the container."""
    sizes = [
        volume.empty_dir.size_limit
        for volume in volumes.values()
        if volume.empty_dir and volume.empty_dir.medium != "Memory"
    ]
    return sum(map(parse_quantity, [temporary_storage, *sizes]), Decimal(0))
