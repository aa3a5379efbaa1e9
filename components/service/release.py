"""Release of a service: the versions that run and their percentage of requests.

A track runs one version at a time, with a Deployment and a Service of its own: ``stable`` always
runs, ``canary`` only during a release. With strategy ``blueGreen``, each track is one of two
colors, and a promotion swaps them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import Service as KubernetesService

from components.labels import Identity, Labels
from components.prune import prune_none
from components.routing.split import Backend
from components.service.before_start import BeforeStartJobs
from components.service.knative import KnativeRelease
from components.service.progressive import APP_PROTOCOLS, Analysis, ProgressiveRelease
from components.service.workload import Workload, WorkloadArgs, WorkloadTemplate
from settings import ReleasedVersion, ReleaseSettings, Service, Strategy, Track

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import ServicePortArgsDict

_TRACKS: Mapping[Strategy, tuple[Track, ...]] = {
    "rolling": ("stable",),
    "canary": ("stable", "canary"),
    "progressive": ("stable",),
    "blueGreen": ("stable", "canary"),
}
"""Tracks that have a Service, with or without a running version."""


class RunningVersion(TypedDict):
    """Version that runs on a track."""

    version: str
    image: pulumi.Input[str]
    """Image reference with digest."""
    weight: NotRequired[int]
    """Percentage of requests; only of the canary."""
    color: NotRequired[str]
    """Color of the track; only with strategy ``blueGreen``."""


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
    With ``workload.kind: knative``, one Knative Service has the traffic of both tracks instead.

    The Service of a track is kept when its version is removed, so that routes stay valid. Inside
    the cluster, the Service of stable has the same name with any strategy. A router has to depend
    on the release: a version is then ready before it receives requests, and, because Pulumi deletes
    last, is deleted only when it receives none.
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
        if set(images) != set(release.tracks):
            raise ValueError(f"images are of {sorted(images)}: use {sorted(release.tracks)}")
        jobs = self._before_start()
        workloads: Mapping[Track, tuple[pulumi.Resource, Labels]] = {
            track: self._workload(track, version, jobs.get(version.version))
            for track, version in release.tracks.items()
        }
        if args["workload"]["service"].is_knative:
            self._knative(workloads)
        else:
            for track, service in self._services.items():
                if service.served_ports:
                    self._service(track, service, *workloads["stable"])
        self.stable = self._running("stable", release.stable)
        self.canary = release.beside and {
            **self._running("canary", release.beside),
            "weight": release.canary_weight,
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
            self._backend(track, service.ports[port], self._weight(track))
            for track, service in self._services.items()
        )

    def idle_backend(self, port: str) -> Backend:
        """Service of the idle color, for all requests to a preview host."""
        return self._backend("canary", self._services["canary"].ports[port], 100)

    def _running(self, track: Track, version: ReleasedVersion) -> RunningVersion:
        running: RunningVersion = {
            "version": version.version,
            "image": self._args["images"][track],
        }
        if self._args["release"].strategy == "blueGreen":
            running["color"] = self._args["release"].object_track(track)
        return running

    def _workload(
        self, track: Track, version: ReleasedVersion, job: Job | None
    ) -> tuple[pulumi.Resource, Labels]:
        """Workload of a version, and the labels of the pods that serve when it is ready."""
        release = self._args["release"]
        is_idle = release.strategy == "blueGreen" and track == "canary"
        workload_args = self._workload_args(track, version)
        workload_args["keep_warm_seconds"] = release.blue_green.keep_warm_seconds if is_idle else 0
        identity, child = workload_args["identity"], pulumi.ResourceOptions(parent=self)
        name = identity.object_name
        opts = pulumi.ResourceOptions(parent=self, depends_on=[job] if job else None)
        workload = Workload(name, workload_args, opts=opts)
        if release.strategy != "progressive":
            return workload, identity.selector
        analysis = self._args.get("analysis")
        if analysis is None:
            raise ValueError(f"{self._name} has no analysis: use the gates of the release")
        progressive = ProgressiveRelease(
            f"{name}-release", workload_args, analysis, workload, opts=child
        )
        return progressive, progressive.pods

    def _workload_args(self, track: Track, version: ReleasedVersion) -> WorkloadArgs:
        return {
            **self._args["workload"],
            "service": self._services[track],
            "identity": self._identity(track, version.version),
            "image": self._args["images"][track],
        }

    def _knative(self, workloads: Mapping[Track, tuple[pulumi.Resource, Labels]]) -> None:
        release = self._args["release"]
        KnativeRelease(
            f"{self._name}-knative",
            {
                "release": release,
                "workloads": {
                    track: self._workload_args(track, version)
                    for track, version in release.tracks.items()
                },
                "dependencies": {track: one for track, (one, _) in workloads.items()},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _identity(self, track: Track, version: str | None = None) -> Identity:
        workload = self._args["workload"]
        suffix = self._args["release"].object_track(track)
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
                "replaced": release.replaced and release.replaced.version,
                "credentials": workload["credentials"],
                "traces": workload.get("traces"),
                "stack_ports": workload["stack_ports"],
                "sidecar": workload.get("sidecar"),
            },
            opts=pulumi.ResourceOptions(parent=self),
        ).jobs

    def _service(
        self, track: Track, service: Service, stable: pulumi.Resource, stable_pods: Labels
    ) -> None:
        identity, namespace = self._identity(track), self._args["workload"]["namespace"]
        edge = service.workload.edge
        # Callers inside the cluster use the name of stable's Service. Its selector changes with the
        # strategy and the live color, when the pods are ready.
        fixed = Identity(identity.name, namespace, "stable")
        identities = [identity, *([fixed] if track == "stable" and fixed != identity else [])]
        if self._args["release"].strategy == "progressive":
            # The others belong to the Canary.
            identities = [fixed]
        for one in identities:
            name = one.object_name
            KubernetesService(
                f"{name}-service",
                metadata={
                    "name": name,
                    "namespace": namespace,
                    "labels": one.labels,
                    # The Service of a track without a running version has no endpoints to wait for.
                    "annotations": {"pulumi.com/skipAwait": "true"},
                },
                spec=prune_none(
                    {
                        "type": "ClusterIP",
                        "selector": stable_pods if track == "stable" else identity.selector,
                        "ports": _service_ports(service),
                        "internal_traffic_policy": edge.internal_traffic_policy if edge else None,
                    }
                ),
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[stable] if one == fixed else None
                ),
            )

    def _weight(self, track: Track) -> int:
        weight = self._args["release"].canary_weight
        return weight if track == "canary" else 100 - weight

    def _backend(self, track: Track, port: int, weight: int) -> Backend:
        is_running = track in self._args["release"].tracks
        return Backend(track, self._identity(track).object_name, port, weight, is_running)


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
