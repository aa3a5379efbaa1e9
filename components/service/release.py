"""Release of a service: the versions that run and their percentage of requests.

A track runs one version at a time, with a Deployment and a Service of its own: ``stable`` always
runs, ``canary`` only during a release with strategy ``canary``.
"""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Service

from components.labels import Identity
from components.routing.split import Backend
from components.service.workload import Workload, WorkloadTemplate
from settings import ReleaseSettings, Strategy, Track

_TRACKS: Mapping[Strategy, tuple[Track, ...]] = {
    "rolling": ("stable",),
    "canary": ("stable", "canary"),
}
"""Tracks that have a Service, with or without a running version."""


class RunningVersion(TypedDict):
    """Version that runs on a track."""

    version: str
    image: pulumi.Input[str]
    """Image reference with digest."""
    weight: NotRequired[int]
    """Percentage of requests; only of the canary."""


class ReleaseArgs(TypedDict):
    """Arguments of :class:`Release`."""

    release: ReleaseSettings
    """Strategy, version of each track and weight of the canary."""
    images: Mapping[Track, pulumi.Input[str]]
    """Image reference with digest, for each running track."""
    workload: WorkloadTemplate
    """Arguments that the workloads of all tracks have in common."""


class Release(pulumi.ComponentResource):
    """A Workload for each running version and a Service for each track.

    The Service of a track is kept when its version is removed, so that routes stay valid. A router
    has to depend on the release: a version is then ready before it receives requests, and, because
    Pulumi deletes last, is deleted only when it receives none.
    """

    backends: tuple[Backend, ...]
    """Service and weight of each track."""
    stable: RunningVersion
    canary: RunningVersion | None
    """``None`` if no canary is running."""

    def __init__(
        self, name: str, args: ReleaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:release:Release", name, None, opts)
        self._name = name
        self._args = args
        release, images = args["release"], args["images"]
        if set(images) != set(release.tracks):
            raise ValueError(f"images are of {sorted(images)}: use {sorted(release.tracks)}")
        self.backends = tuple(self._backend(track) for track in _TRACKS[release.strategy])
        for track, version in release.tracks.items():
            Workload(
                f"{name}-{track}",
                {
                    **args["workload"],
                    "identity": self._identity(track, version.version),
                    "image": images[track],
                },
                opts=pulumi.ResourceOptions(parent=self),
            )
        stable, canary = release.stable, release.canary
        self.stable = {"version": stable.version, "image": images["stable"]}
        self.canary = canary and {
            "version": canary.version,
            "image": images["canary"],
            "weight": canary.weight,
        }
        self.register_outputs({"stable": self.stable, "canary": self.canary})

    def _identity(self, track: Track, version: str | None = None) -> Identity:
        workload = self._args["workload"]
        return Identity(workload["service"].name, workload["namespace"], track, version)

    def _backend(self, track: Track) -> Backend:
        identity, workload = self._identity(track), self._args["workload"]
        port = workload["service"].port
        Service(
            f"{self._name}-{track}-service",
            metadata={
                "name": identity.object_name,
                "namespace": workload["namespace"],
                "labels": identity.labels,
                # The Service of a track without a running version has no endpoints to wait for.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "type": "ClusterIP",
                "selector": identity.selector,
                "ports": [{"name": "http", "port": port, "target_port": "http", "protocol": "TCP"}],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        release = self._args["release"]
        weight = release.canary_weight if track == "canary" else 100 - release.canary_weight
        return Backend(
            track, identity.object_name, port, weight, is_running=track in release.tracks
        )
