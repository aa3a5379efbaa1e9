"""Roles of a service's pods: the track ``stable`` serves, ``canary`` is the version beside it.

With some strategies, the objects and the pods' label ``track`` have other names: labels of running
pods cannot change, but their role does. Metrics and log lines have the role.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from components.labels import NAME_LABEL, PRIMARY
from settings import Service, Track


@dataclass(frozen=True)
class RoleRule:
    """Pods with a label's value have a role."""

    label: str
    value: str
    track: Track

    @property
    def metric_label(self) -> str:
        """The label as kube-state-metrics and, with a prefix, Prometheus name it."""
        return f"label_{re.sub('[^a-z]', '_', self.label)}"


@dataclass(frozen=True)
class TrackRoles:
    """Pods and objects of each role."""

    service: str
    """Name of the service."""
    pod_names: tuple[str, ...]
    """Values of the pods' label ``app.kubernetes.io/name``."""
    rules: tuple[RoleRule, ...]
    """Roles that differ from the pods' label ``track``. Of several rules, the last applies."""
    deployments: Mapping[Track, str]
    """Deployment, and HPA, of each role."""
    services: Mapping[Track, tuple[str, ...]]
    """Services of each role."""

    @classmethod
    def of(cls, service: Service) -> "TrackRoles":
        """Roles with the release strategy of ``service``."""
        name, release = service.name, service.release
        if release.strategy == "progressive":
            track = release.object_track("canary")
            apex = f"{name}-{track}"
            return cls(
                name,
                (name, f"{name}{PRIMARY}"),
                (
                    RoleRule("track", track, "canary"),
                    RoleRule(NAME_LABEL, f"{name}{PRIMARY}", "stable"),
                ),
                {"stable": f"{apex}{PRIMARY}", "canary": apex},
                {
                    "stable": (apex, f"{apex}{PRIMARY}", f"{name}-stable"),
                    "canary": (f"{apex}-canary",),
                },
            )
        suffixes: dict[Track, str] = {
            "stable": release.object_track("stable"),
            "canary": release.object_track("canary"),
        }
        rules = (RoleRule("track", suffix, track) for track, suffix in suffixes.items())
        objects: dict[Track, str] = {track: f"{name}-{one}" for track, one in suffixes.items()}
        return cls(
            name,
            (name,),
            tuple(one for one in rules if one.value != one.track),
            objects,
            {track: (one,) for track, one in objects.items()},
        )

    @property
    def deployment_suffixes(self) -> tuple[str, ...]:
        """Names of the Deployments without the service's name and the hyphen."""
        return tuple(name.removeprefix(f"{self.service}-") for name in self.deployments.values())

    def service_pattern(self, track: Track) -> str:
        """Regular expression of the names of a role's Services."""
        names = self.services[track]
        pattern = "|".join(names)
        return f"({pattern})" if len(names) > 1 else pattern

    @property
    def deployment_pattern(self) -> str:
        """Regular expression of the names of the Deployments and HPAs."""
        return f"{self.service}-({'|'.join(self.deployment_suffixes)})"
