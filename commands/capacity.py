"""Ready pods of the tracks: those that requests need before they move, and the declared ones.

An autoscaler scales a track by the load that it has had, so a track that gets more requests at once
has too few pods for a minute. Here the minimum of the track's HorizontalPodAutoscaler is raised
before the requests move, and restored when the autoscaler's own metrics include them.

An update that disables autoscaling sets the declared replicas and deletes the autoscaler last. If
the autoscaler has changed the replicas in between, they are set again.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from commands import kubectl
from commands.errors import FAILED, CommandError
from components.labels import NAME_LABEL, PRIMARY, Identity
from settings import (
    OBJECT_TRACKS,
    BlueGreen,
    ReleaseSettings,
    Service,
    Settings,
    duration_seconds,
    parse_quantity,
)

MINIMUM_ANNOTATION = "slipway/declared-min-replicas"
"""Annotation of an HPA whose minimum is raised: the minimum to restore."""
METRICS_SECONDS = 90
"""Time after which the metrics of an HPA include all requests: two samples of metrics-server, which
takes one every 15 s, and the period of the HPA controller, 15 s, with a margin."""
METRICS_POLL_SECONDS = 5
HPA_SYNC_SECONDS = 15
"""Default period in which the HPA controller reads the metrics."""
POLL_SECONDS = 1

Shares = Mapping[str, int]
"""Percentage of the requests, by the track in the names of the objects: roles change with a switch
of the live color. A track that is not in it gets none."""
_PRIMARY = f"progressive{PRIMARY}"
_TRACKS = (*OBJECT_TRACKS, _PRIMARY)


def shares_of(release: ReleaseSettings) -> Shares:
    """Shares of a release's tracks."""
    return _shares(release.strategy, release.blue_green.live, release.canary_weight)


def deployed_shares(release: Mapping[str, Any]) -> Shares:
    """Shares of the ``release`` that the history of a stack has."""
    live = (release.get("blueGreen") or {}).get("live", BlueGreen().live)
    weight = (release.get("canary") or {}).get("weight", 0)
    return _shares(release.get("strategy", "rolling"), live, weight)


def _shares(strategy: str, live: str, weight: int) -> Shares:
    match strategy:
        case "blueGreen":
            return {live: 100}
        case "progressive":
            return {_PRIMARY: 100}
    return {"stable": 100 - weight, "canary": weight}


@dataclass(frozen=True)
class TrackPods:
    """Pods of a track, and the bounds of its autoscaler."""

    name: str
    """Name of the Deployment and of its HPA."""
    ready: int
    desired: int
    minimum: int
    """Without an HPA, the minimum and the maximum are the desired number."""
    maximum: int
    recommended: float | None
    """Pods that the metrics of the HPA require. ``None``: unknown."""
    declared_minimum: int | None
    """Minimum to restore. ``None``: the minimum is not raised."""
    is_autoscaled: bool
    scales_by_resources: bool = False
    """True if all metrics of the HPA are of CPU and memory, which metrics-server measures."""

    @property
    def serving(self) -> float | None:
        """Pods that the requests of the track need. ``None``: not known.

        That is all ready ones, if the autoscaler has scaled up. At the minimum, it may be fewer.
        """
        if self.ready > self.minimum:
            return self.ready
        return None if self.recommended is None else min(self.ready, self.recommended)

    @property
    def is_justified(self) -> bool:
        """True if the metrics of the autoscaler require its minimum."""
        return self.recommended is not None and ceil(self.recommended) >= self.minimum


class Capacity:
    """Pods and autoscalers of a stack's services during one update."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._namespace = settings.namespace.name
        self._environment = environment
        self._context = settings.cluster.context
        self._raised: dict[str, int] = {}

    def missing_at_start(self, service: Service, before: Shares) -> int:
        """Pods that a new track needs for its share. 0: its minimum of replicas is enough."""
        tracks, after = self._tracks(service), shares_of(service.release)
        if not tracks:
            return 0
        needed = max(
            (
                _needed(tracks, before, share)
                for track, share in after.items()
                if track not in tracks
            ),
            default=0,
        )
        return _more_than_minimum(service, needed)

    def adopted(self, service: Service, in_state: Collection[str]) -> int:
        """Replicas of existing Deployments of a service that are not in Pulumi's state.

        0: there is none, or its minimum of replicas is enough.
        """
        release = service.release
        names = {
            Identity(service.name, self._namespace, release.object_track(one)).object_name
            for one in release.tracks
        }.difference(in_state)
        found = self._tracks(service).values() if names else ()
        replicas = max(
            (one.desired for one in found if one.is_autoscaled and one.name in names), default=0
        )
        return _more_than_minimum(service, replicas)

    def is_ready(self, service: Service, before: Shares, after: Shares) -> bool:
        """Return True if each track whose share grows has the ready pods for it."""
        tracks = self._tracks(service)
        return all(
            track in tracks
            and tracks[track].ready >= min(_needed(tracks, before, share), tracks[track].maximum)
            for track, share in after.items()
            if share > before.get(track, 0)
        )

    def reserve(
        self, service: Service, before: Shares, seconds: float, *, is_required: bool
    ) -> None:
        """Wait until each track whose share grows has the ready pods for it.

        That is its share of the pods that serve now, within the bounds of its autoscaler, which
        keeps them until :meth:`restore`. After ``seconds`` this returns, or raises
        :class:`CommandError` if the pods are required.
        """
        tracks, after = self._tracks(service), shares_of(service.release)
        missing: dict[str, int] = {}
        for track, pods in tracks.items():
            share = after.get(track, 0)
            if share <= before.get(track, 0):
                continue
            needed = min(_needed(tracks, before, share), pods.maximum)
            if needed > pods.minimum:
                print(
                    f"{pods.name}: at least {needed} pods instead of {pods.minimum}, for "
                    f"{share} % of the requests"
                )
                self._raise_minimum(pods, needed)
            if needed > pods.ready:
                missing[track] = needed
        problem = self._wait(service, missing, seconds)
        if not problem:
            return
        if not is_required:
            print(f"{problem}: not waiting any longer")
            return
        for pods in self._tracks(service).values():
            self._restore_minimum(pods)
        raise CommandError(
            f"{problem}, so no requests are moved to it: `kubectl describe pods` shows why; then "
            "run this again or `make rollback`",
            FAILED,
        )

    def keep(
        self, services: Iterable[Service], found: kubectl.Objects | None = None
    ) -> Mapping[str, TrackPods]:
        """Raise the minimums again that an update has reset. Return the tracks by object name.

        ``found`` has the Deployments and autoscalers; by default they are read.
        """
        pods_of = self._pods_of(services, found)
        for name, minimum in self._raised.items():
            if name in pods_of and pods_of[name].minimum < minimum:
                self._raise_minimum(pods_of[name], minimum)
        return pods_of

    def restore(self, services: Sequence[Service], found: kubectl.Objects | None = None) -> bool:
        """Restore the raised minimums, when the metrics of the autoscalers include all requests.

        Also those that an interrupted command has raised. ``found`` is that of :meth:`keep`.
        Return True if there was any.
        """
        pods_of = self.keep(services, found)
        raised = {
            name
            for name, pods in pods_of.items()
            if name in self._raised or pods.declared_minimum is not None
        }
        if not raised:
            return False
        print(f"waiting for the autoscaler's metrics of {', '.join(sorted(raised))}")
        start, deadline = time.time(), time.monotonic() + METRICS_SECONDS
        while True:
            kept = [pods for name, pods in self._pods_of(services).items() if name in raised]
            if all(pods.is_justified for pods in kept) or time.monotonic() > deadline:
                break
            by_resources = all(pods.scales_by_resources for pods in kept)
            if by_resources and self._is_measured(services, start):
                deadline = min(deadline, time.monotonic() + HPA_SYNC_SECONDS)
            time.sleep(METRICS_POLL_SECONDS)
        for pods in kept:
            self._restore_minimum(pods)
        return True

    def _is_measured(self, services: Iterable[Service], start: float) -> bool:
        """Return True if metrics-server has measured all pods after ``start``, a Unix time."""
        try:
            found = kubectl.get(
                "podmetrics.metrics.k8s.io",
                *("--namespace", self._namespace, "--selector", _selector(services)),
                environment=self._environment,
                context=self._context,
            )
        except CommandError:
            return False  # not permitted, or there is no metrics-server
        starts = [
            datetime.fromisoformat(one["timestamp"]).timestamp() - duration_seconds(one["window"])
            for one in found["items"]
        ]
        return bool(starts) and min(starts) >= start

    def restore_replicas(self, service: Service, found: kubectl.Objects | None = None) -> bool:
        """Set the replicas of tracks without an autoscaler to the declared number, if they differ.

        Wait for the pods. ``found`` is that of :meth:`keep`. Return True if any differed. Raises
        :class:`CommandError` if they are not ready within the progress deadline.
        """
        if service.release.strategy == "progressive":
            return False  # Flagger scales the canary to 0
        declared = {
            service.release.object_track(track): released.workload.replicas
            for track in service.release.tracks
            if not (released := service.of_track(track)).autoscaling.enabled
        }
        missing: dict[str, int] = {}
        for track, pods in self._tracks(service, found).items() if declared else ():
            replicas = declared.get(track, pods.desired)
            if pods.desired != replicas and not pods.is_autoscaled:
                print(f"{pods.name}: {replicas} pods instead of {pods.desired}")
                self._scale(pods.name, replicas)
                missing[track] = replicas
        seconds = service.workload.rollout.progress_deadline_seconds
        if problem := self._wait(service, missing, seconds):
            raise CommandError(f"{problem}: `kubectl describe pods` shows why", FAILED)
        return bool(missing)

    def _wait(self, service: Service, pods: Mapping[str, int], seconds: float) -> str:
        """Wait for ready pods, and return which are missing after ``seconds``. Empty: none."""
        deadline = time.monotonic() + seconds
        while missing := self._missing(service, pods):
            if time.monotonic() > deadline:
                return f"{' and '.join(missing)} after {seconds:g} s"
            time.sleep(POLL_SECONDS)
        return ""

    def _missing(self, service: Service, pods: Mapping[str, int]) -> Sequence[str]:
        tracks = self._tracks(service) if pods else {}
        return [
            f"{tracks[track].name} has {tracks[track].ready} of {needed} ready pods"
            for track, needed in pods.items()
            if tracks[track].ready < needed
        ]

    def _raise_minimum(self, pods: TrackPods, minimum: int) -> None:
        declared = pods.minimum if pods.declared_minimum is None else pods.declared_minimum
        self._raised[pods.name] = minimum
        self._set_minimum(pods.name, minimum, {MINIMUM_ANNOTATION: str(declared)})
        if pods.desired < minimum:
            # The HPA controller would do it within 15 s.
            self._scale(pods.name, minimum)

    def _scale(self, name: str, replicas: int) -> None:
        kubectl.scale(
            name, self._namespace, replicas, environment=self._environment, context=self._context
        )

    def _restore_minimum(self, pods: TrackPods) -> None:
        if pods.declared_minimum is not None:
            self._set_minimum(pods.name, pods.declared_minimum)

    def _set_minimum(
        self, name: str, minimum: int, annotations: Mapping[str, str] | None = None
    ) -> None:
        metadata = {"name": name, "namespace": self._namespace}
        manifest = {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            # Applied without the annotation, it is removed.
            "metadata": {**metadata, "annotations": annotations} if annotations else metadata,
            "spec": {"minReplicas": minimum},
        }
        kubectl.apply(manifest, environment=self._environment, context=self._context)

    def _pods_of(
        self, services: Iterable[Service], found: kubectl.Objects | None = None
    ) -> Mapping[str, TrackPods]:
        """Tracks of services that are deployed, by the names of their objects."""
        tracks = self._tracks_of(services, found).values()
        return {pods.name: pods for of_service in tracks for pods in of_service.values()}

    def _tracks(
        self, service: Service, found: kubectl.Objects | None = None
    ) -> Mapping[str, TrackPods]:
        return self._tracks_of([service], found)[service.name]

    def _tracks_of(
        self, services: Iterable[Service], found: kubectl.Objects | None = None
    ) -> Mapping[str, Mapping[str, TrackPods]]:
        """Tracks that are deployed: service → track in the names of the objects → its pods."""
        services = [*services]
        items = found
        if items is None:
            items = kubectl.workloads(
                self._namespace,
                selector=_selector(services),
                environment=self._environment,
                context=self._context,
            )
        objects = {(item["kind"], item["metadata"]["name"]): item for item in items}

        def tracks(service: str) -> Iterator[tuple[str, TrackPods]]:
            for track in _TRACKS:
                name = Identity(service, self._namespace, track).object_name
                if deployment := objects.get(("Deployment", name)):
                    autoscaler = objects.get(("HorizontalPodAutoscaler", name))
                    yield track, _track_pods(name, deployment, autoscaler)

        return {service.name: dict(tracks(service.name)) for service in services}


def _more_than_minimum(service: Service, replicas: int) -> int:
    """``replicas``, at most the maximum of the service. 0: the minimum is enough."""
    replicas = min(replicas, service.max_replicas)
    return replicas if replicas > service.min_replicas else 0


def _selector(services: Iterable[Service]) -> str:
    """Value of ``--selector`` for the objects and pods of services."""
    names = (name for one in services for name in (one.name, f"{one.name}{PRIMARY}"))
    return f"{NAME_LABEL} in ({','.join(names)})"


def _track_pods(
    name: str, deployment: Mapping[str, Any], autoscaler: Mapping[str, Any] | None
) -> TrackPods:
    desired = deployment["spec"].get("replicas", 1)
    ready = deployment.get("status", {}).get("readyReplicas", 0)
    if autoscaler is None:
        return TrackPods(name, ready, desired, desired, desired, None, None, is_autoscaled=False)
    declared = autoscaler["metadata"].get("annotations", {}).get(MINIMUM_ANNOTATION)
    return TrackPods(
        name,
        ready,
        desired,
        autoscaler["spec"].get("minReplicas", 1),
        autoscaler["spec"]["maxReplicas"],
        _recommended(autoscaler),
        None if declared is None else int(declared),
        is_autoscaled=True,
        scales_by_resources=all(
            metric["type"] in ("Resource", "ContainerResource")
            for metric in autoscaler["spec"]["metrics"]
        ),
    )


def _needed(tracks: Mapping[str, TrackPods], before: Shares, share: int) -> int:
    """Pods for a share of the requests that the tracks serve now."""
    known: dict[str, float] = {
        track: pods.serving
        for track, pods in tracks.items()
        if before.get(track) and pods.serving is not None
    }
    # The metrics of a new track are not known for a minute. Its requests need as many pods as those
    # of the other track.
    per_percent = max((pods / before[track] for track, pods in known.items()), default=None)
    total = sum(known.values())
    for track, pods in tracks.items():
        if before.get(track) and track not in known:
            total += (
                pods.ready if per_percent is None else min(pods.ready, per_percent * before[track])
            )
    return ceil(total * share / 100)


def _recommended(autoscaler: Mapping[str, Any]) -> float | None:
    """Pods that the metrics require: the maximum over all metrics, as the HPA computes it."""
    status = autoscaler.get("status", {})
    current = {_metric(one): one for one in status.get("currentMetrics") or ()}
    ratios = [
        _ratio(current.get(_metric(metric), {}), metric) for metric in autoscaler["spec"]["metrics"]
    ]
    known = [ratio for ratio in ratios if ratio is not None]
    if not known or len(known) < len(ratios):
        return None
    return max(known) * status.get("currentReplicas", 0)


def _metric(metric: Mapping[str, Any]) -> tuple[str, str]:
    kind = metric["type"]
    source = metric.get(kind.lower(), {})
    return kind, source.get("name") or source.get("metric", {}).get("name", "")


def _ratio(current: Mapping[str, Any], metric: Mapping[str, Any]) -> float | None:
    source = metric["type"].lower()
    target = metric[source]["target"]
    value = current.get(source, {}).get("current", {})
    if "averageUtilization" in target and value.get("averageUtilization") is not None:
        return value["averageUtilization"] / target["averageUtilization"]
    if "averageValue" in target and value.get("averageValue") is not None:
        return float(parse_quantity(value["averageValue"]) / parse_quantity(target["averageValue"]))
    return None
