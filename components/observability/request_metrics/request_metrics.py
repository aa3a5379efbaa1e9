"""Recorded series of a service's requests, which are the same for every source of metrics.

Dashboards, objectives, the promotion gate and ``make metrics`` read only these series.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.observability.queries import (
    PODS,
    WINDOW,
    errors_series,
    requests_series,
    selector,
)
from components.observability.rule import Rule, recording_rule
from components.track_roles import TrackRoles


@dataclass(frozen=True)
class RequestMetrics(ABC):
    """Source of a service's request metrics."""

    namespace: str
    service: str
    buckets: tuple[float, ...]
    """Upper bounds of the duration histogram, in seconds. Empty: there are no durations."""
    errors: str
    """Regular expression of the statuses of failed requests."""

    def rules(self, window: str = WINDOW) -> Iterator[Rule]:
        """Recording rules of the requests, the errors and the durations over ``window``."""
        yield from self.request_rules(window)
        series = f"{requests_series(window)}{{{selector(self.namespace, self.service)}"
        total = f"sum without (status) ({series}}})"
        errors = f'sum without (status) ({series},status=~"{self.errors}"}})'
        # There is no series for a status before its first response: count 0, not nothing.
        yield recording_rule(errors_series(window), f"{errors}\nor\n0 * {total}")

    @abstractmethod
    def request_rules(self, window: str) -> Iterator[Rule]:
        """Recording rules of the requests and the durations over ``window``."""

    @property
    def exemplars(self) -> str | None:
        """Histogram of the service itself, whose exemplars are traces. ``None``: there is none."""
        return None

    def record(self, series: str, expr: str, **labels: str) -> Rule:
        """Recording rule with the labels of the service."""
        identity = {"namespace": self.namespace, "service": self.service}
        return recording_rule(series, expr, {**identity, **labels})


@dataclass(frozen=True)
class ProxyRequestMetrics(RequestMetrics):
    """Metrics of a proxy, which knows the Service of a track but not the version behind it."""

    roles: TrackRoles
    """Services and Deployments of the tracks."""

    additional_routes: tuple[str, ...] = ()
    """Names of the objects with the routes of additional ports. That of the main one is
    :attr:`service`."""

    @property
    def route(self) -> str:
        """Regular expression of the names of the objects with the routes."""
        names = "|".join((self.service, *self.additional_routes))
        return f"({names})" if self.additional_routes else names

    def record_track(self, series: str, expr: str, track: str, window: str, **labels: str) -> Rule:
        """Recording rule for a track.

        The series has the version of the track's pods if they all had the same version for the
        whole range: the samples of two versions cannot be told apart.
        """
        pods = f"{PODS}{{{selector(self.namespace, self.service, track=track)}}}"
        versions = f"group by (version) (max_over_time({pods}[{window}]) > 0)"
        version = f"({versions} and on () (count({versions}) == 1))"
        return self.record(
            series,
            f"{expr}\n* on () group_left (version)\n{version}\nor\n"
            f"({expr}\nunless on ()\n{version})",
            track=track,
            **labels,
        )


def rename_labels(expr: str, names: Sequence[tuple[str, str]]) -> str:
    """PromQL: ``expr`` with the labels ``(from, to)`` copied, where the names differ."""
    for source, target in names:
        if source != target:
            expr = f'label_replace({expr}, "{target}", "$1", "{source}", "(.*)")'
    return expr


def bucket_label(seconds: float) -> str:
    """Matcher of the label ``le``.

    Prometheus 3 writes a whole number as 1.0, Prometheus 2 as the program does.
    """
    bound = f"{seconds:g}"
    return f'le=~"{bound}([.]0)?"' if bound.isdigit() else f'le="{bound}"'


def bucket_labels_in_seconds(buckets: tuple[float, ...]) -> Iterator[tuple[str, str]]:
    """Matcher of each bucket of a histogram in milliseconds, and its bound in seconds."""
    for seconds in buckets:
        yield bucket_label(seconds * 1000), f"{seconds:g}"
    yield 'le="+Inf"', "+Inf"
