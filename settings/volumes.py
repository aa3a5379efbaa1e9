"""``volumes`` of a service."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.env import ObjectName
from settings.errors import FieldError
from settings.one_of import one_of_errors
from settings.quantities import Memory
from settings.section import Section
from settings.string_formats import FilePath, RelativePath, StringFormat

VolumeName = Annotated[
    str,
    StringFormat(
        "a DNS label of at most 63 of a-z, 0-9 and -, and not config, secrets or tmp",
        r"(?!(config|secrets|tmp)$)[a-z0-9]([-a-z0-9]*[a-z0-9])?",
        63,
    ),
]


class EmptyDir(Section):
    """Empty directory that is deleted with the pod."""

    size_limit: Memory = "64Mi"
    """Maximum size. The pod is evicted if it writes more."""
    medium: Literal["", "Memory"] = ""
    """`Memory` is a tmpfs, which counts as memory of the container."""


class PersistentVolumeClaimVolume(Section):
    """Existing PersistentVolumeClaim. All pods share it."""

    claim_name: ObjectName
    """Name of the claim."""


class SecretVolume(Section):
    """Existing Secret, with one file for each key."""

    secret_name: ObjectName
    """Name of the Secret."""


class ConfigMapVolume(Section):
    """Existing ConfigMap, with one file for each key."""

    name: ObjectName
    """Name of the ConfigMap."""


_SOURCES = ("empty_dir", "persistent_volume_claim", "secret", "config_map")


class Volume(Section):
    """Volume of the pods: one of `emptyDir`, `persistentVolumeClaim`, `secret` and `configMap`."""

    mount_path: FilePath
    """Path in the service's container."""
    sub_path: RelativePath | None = None
    """Path in the volume. Default: its root."""
    read_only: bool = False
    """Mounts the volume read-only. A Secret or ConfigMap is read-only anyway."""
    empty_dir: EmptyDir | None = None
    persistent_volume_claim: PersistentVolumeClaimVolume | None = None
    secret: SecretVolume | None = None
    config_map: ConfigMapVolume | None = None

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from one_of_errors(self, _SOURCES)


Volumes = Annotated[dict[VolumeName, Volume], Field(max_length=20)]
"""Volumes by name."""
