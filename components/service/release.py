"""Release of a service: the versions that run and their percentage of requests.

A track runs one version at a time, with a Deployment and a Service of its own: ``stable`` always
runs, ``canary`` only during a release with strategy ``canary``.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import Service as KubernetesService

from components.labels import Identity, Labels
from components.prune import prune_none
from components.routing.split import Backend
from components.service.before_start import BeforeStartJobs
from components.service.progressive import APP_PROTOCOLS, Analysis, ProgressiveRelease
from components.service.workload import Workload, WorkloadArgs, WorkloadTemplate
from settings import ReleaseSettings, Service, Strategy, Track

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import ServicePortArgsDict

_TRACKS: Mapping[Strategy, tuple[Track, ...]] = {
    "rolling": ("stable",),
    "canary": ("stable", "canary"),
    "progressive": ("stable",),
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
    analysis: NotRequired[Analysis]
    """Gates of the release. Required with strategy ``progressive``."""


class Release(pulumi.ComponentResource):
    """A Workload for each running version, and a Service for each track of a service with ports.

    A version's Workload is changed only after the version's Job, if there is one, has succeeded.

    The Service of a track is kept when its version is removed, so that routes stay valid. Requests
    from inside the cluster are sent to that of stable with every strategy. A router
    has to depend on the release: a version is then ready before it receives requests, and, because
    Pulumi deletes last, is deleted only when it receives none.
    """

    stable: RunningVersion
    canary: RunningVersion | None
    """``None`` if no canary is running."""

    def __init__(
        self, name: str, args: ReleaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:release:Release", name, None, opts)
        self._name = name
        self._args = args
        self._services: Mapping[Track, Service] = {
            track: args["workload"]["service"].of_track(track)
            for track in _TRACKS[args["release"].strategy]
        }
        release, images = args["release"], args["images"]
        if release.strategy == "progressive" and "analysis" not in args:
            raise ValueError(f"{name} has no analysis: use the gates of the release")
        if set(images) != set(release.tracks):
            raise ValueError(f"images are of {sorted(images)}: use {sorted(release.tracks)}")
        jobs = self._before_start()
        ready: dict[Track, pulumi.Resource] = {}
        pods: dict[Track, Labels] = {
            track: self._identity(track).selector for track in self._services
        }
        for track, version in release.tracks.items():
            job = jobs.get(version.version)
            workload: WorkloadArgs = {
                **args["workload"],
                "service": self._services[track],
                "identity": self._identity(track, version.version),
                "image": images[track],
            }
            suffix = release.object_track(track)
            ready[track] = Workload(
                f"{name}-{suffix}",
                workload,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[job] if job else None),
            )
            if release.strategy == "progressive" and (analysis := args.get("analysis")):
                progressive = ProgressiveRelease(
                    f"{name}-{suffix}-release",
                    workload,
                    analysis,
                    ready[track],
                    opts=pulumi.ResourceOptions(parent=self),
                )
                ready[track], pods[track] = progressive, progressive.pods
        for track, service in self._services.items():
            if service.served_ports:
                # When the strategy changes, the Service changes to pods that are ready.
                depends_on = [ready[track]] if track in ready else []
                self._service(track, service, pods[track], depends_on)
        stable, canary = release.stable, release.canary
        self.stable = {"version": stable.version, "image": images["stable"]}
        self.canary = canary and {
            "version": canary.version,
            "image": images["canary"],
            "weight": canary.weight,
        }
        self.register_outputs({"stable": self.stable, "canary": self.canary})

    def backends(self, port: str) -> tuple[Backend, ...]:
        """Service and weight of each track, for requests to a container port by name.

        With strategy ``progressive``, Flagger shifts the requests to the main port.
        """
        release, name = self._args["release"], self._args["workload"]["service"].name
        if release.strategy == "progressive":
            service = self._services["stable"]
            is_main = service.routing is not None and service.routing.port == port
            backend = self._identity("stable").object_name if is_main else f"{name}-stable"
            return (Backend("stable", backend, service.ports[port], 100),)
        return tuple(
            self._backend(track, service.ports[port]) for track, service in self._services.items()
        )

    def _identity(self, track: Track, version: str | None = None) -> Identity:
        workload, suffix = self._args["workload"], self._args["release"].object_track(track)
        return Identity(workload["service"].name, workload["namespace"], suffix, version)

    def _before_start(self) -> Mapping[str, Job]:
        args, release = self._args, self._args["release"]
        images = {
            version.version: args["images"][track]
            for track, version in release.tracks.items()
            if version.before_start
        }
        if release.before_start is None or not images:
            return {}
        workload = args["workload"]
        return BeforeStartJobs(
            f"{self._name}-before-start",
            {
                "service": workload["service"],
                "namespace": workload["namespace"],
                "job": release.before_start,
                "images": images,
                "replaced": release.stable.version if release.canary else None,
                "credentials": workload["credentials"],
                "traces": workload.get("traces"),
                "stack_ports": workload["stack_ports"],
            },
            opts=pulumi.ResourceOptions(parent=self),
        ).jobs

    def _service(
        self, track: Track, service: Service, pods: Labels, depends_on: Sequence[pulumi.Resource]
    ) -> None:
        workload = self._args["workload"]
        identity = Identity(service.name, workload["namespace"], track)
        KubernetesService(
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
                "selector": pods,
                "ports": prune_none(_service_ports(service)),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
        )

    def _backend(self, track: Track, port: int) -> Backend:
        release = self._args["release"]
        weight = release.canary_weight if track == "canary" else 100 - release.canary_weight
        return Backend(
            track, self._identity(track).object_name, port, weight, track in release.tracks
        )


def _service_ports(service: Service) -> "list[ServicePortArgsDict]":
    routes = service.routes
    return [
        {
            "name": name,
            "port": port,
            "target_port": name,
            "protocol": "TCP",
            "app_protocol": APP_PROTOCOLS[routes[name].protocol] if name in routes else None,
        }
        for name, port in service.served_ports.items()
    ]
