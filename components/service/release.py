"""Which versions run, each on a track of its own, and the share of requests each is to get."""

from collections.abc import Mapping
from typing import TypedDict

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
"""The tracks that a strategy can send requests to, whether or not a version runs on them now."""


Running = dict[str, pulumi.Input[str] | pulumi.Input[int]]


class ReleaseArgs(TypedDict):
    """What a :class:`Release` is made from."""

    release: ReleaseSettings
    """The strategy, the version on each track, and the canary's share of requests."""
    images: Mapping[Track, pulumi.Input[str]]
    """The image of each version that runs: a reference with a digest."""
    workload: WorkloadTemplate
    """What all tracks have in common."""


class Release(pulumi.ComponentResource):
    """A Workload for each version that runs, and a Service for each track.

    A track's Service outlives its Workload, so that routes always lead somewhere. Whoever routes
    by :attr:`backends` depends on the release: a version is up before requests are sent to it,
    and, for Pulumi deletes last, gone only after they are sent elsewhere.
    """

    backends: tuple[Backend, ...]
    """Where requests go, by percent."""
    stable: Running
    """``version`` and ``image``."""
    canary: Running | None
    """``version``, ``image`` and ``weight``; ``None`` where no canary runs."""

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
        for track in release.tracks:
            self._workload(track)
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

    def _workload(self, track: Track) -> None:
        version = self._args["release"].tracks[track].version
        Workload(
            f"{self._name}-{track}",
            {
                **self._args["workload"],
                "identity": self._identity(track, version),
                "image": self._args["images"][track],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _backend(self, track: Track) -> Backend:
        identity, workload = self._identity(track), self._args["workload"]
        port = workload["service"].port
        Service(
            f"{self._name}-{track}-service",
            metadata={
                "name": identity.object_name,
                "namespace": workload["namespace"],
                "labels": identity.labels,
                # A track on which nothing runs has no endpoints to wait for.
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
