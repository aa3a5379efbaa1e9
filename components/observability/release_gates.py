"""Gates of a progressive release: checks of the new version, from its objective and from queries.

Their queries read rates over a short window, so that a fault shows within a scrape.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from components.observability.addresses import PROMETHEUS
from components.observability.monitored_service import MonitoredService
from components.observability.queries import (
    duration_series,
    errors_series,
    pod_resource,
    requests_series,
    selector,
)
from components.observability.request_metrics import bucket_label
from components.observability.rules.canary_gate import MAX_CANARY_FACTOR
from components.observability.slo import BURN_RATES, MIN_BAD_REQUESTS, Sli
from settings import Gates, Network, ObservabilitySettings, Progressive
from settings.prometheus_formats import SELECTOR

VERSION = "$version"
"""Placeholder in queries for the new version."""
_PAGE, _SLOWER_PAGE = (burn.factor for burn in BURN_RATES[:2])


@dataclass(frozen=True)
class ReleaseGate:
    """Query with one value, and its bounds. Without a value, the check fails."""

    name: str
    title: str
    """Meaning of the value, for people."""
    query: str
    """PromQL; :data:`VERSION` stands for the new version."""
    min: float | None = None
    max: float | None = None
    unit: str = ""

    @property
    def bound(self) -> str:
        """The bounds, such as ``≥ 98.56 %``."""
        unit = f" {self.unit}" if self.unit else ""
        bounds = (("≥", self.min), ("≤", self.max))
        return ", ".join(f"{sign} {value:g}{unit}" for sign, value in bounds if value is not None)

    def passes(self, value: float | None) -> bool:
        """True if the check passes with ``value``; ``None``: the query has no value."""
        return (
            value is not None
            and (self.min is None or value >= self.min)
            and (self.max is None or value <= self.max)
        )


def release_gates(service: MonitoredService, settings: Progressive) -> tuple[ReleaseGate, ...]:
    """Return the gates of the releases of a service with strategy ``progressive``."""
    if service.gate_window is None:
        return ()
    gates = _Gates(service, service.gate_window)
    return (
        *gates.of_objective(settings),
        *gates.of_resources(settings.gates),
        *gates.of_queries(settings.gates),
    )


def prometheus_url(observability: ObservabilitySettings, network: Network) -> str:
    """URL of the Prometheus that answers the queries of the gates."""
    if observability.mode == "operator":
        operated = f"http://prometheus-operated.{network.monitoring_namespace}.svc:9090"
        return observability.operator.prometheus_url or operated
    return PROMETHEUS.url(network.monitoring_namespace)


@dataclass(frozen=True)
class _Gates:
    service: MonitoredService
    window: str

    def of_objective(self, settings: Progressive) -> Iterator[ReleaseGate]:
        if self.service.requests is None:
            return
        if settings.min_requests:
            yield ReleaseGate(
                "requests",
                f"requests to the new version in {self.window}",
                f"{self._requests(self._canary)} * {self._seconds}",
                min=settings.min_requests,
            )
        slo, gates = self.service.slo, settings.gates
        enabled: dict[Sli, bool] = {"availability": gates.availability, "latency": gates.latency}
        for sli in slo.slis if slo else ():
            if enabled[sli]:
                yield from self._of_sli(sli)

    def _of_sli(self, sli: Sli) -> Iterator[ReleaseGate]:
        slo = self.service.slo
        assert slo  # noqa: S101  # of_objective
        what = {"availability": "successful requests", "latency": "requests within the threshold"}
        bad = self._bad_ratio(sli, self._canary)
        count = f"{self._bad_requests(sli, self._canary)} * {self._seconds}"
        yield ReleaseGate(
            sli,
            what[sli],
            f"100 * (1 - {bad})",
            min=_percent(1 - slo.max_bad_ratio(sli, _PAGE)),
            unit="%",
        )
        stable = f"({self._bad_ratio(sli, self._stable)} or vector(0))"
        yield ReleaseGate(
            f"{sli}-stable",
            f"bad requests ({sli}) above {MAX_CANARY_FACTOR} times stable's percentage",
            f"100 * clamp_min({bad} - {MAX_CANARY_FACTOR} * {stable}, 0)"
            f" * ({count} >= bool {MIN_BAD_REQUESTS})",
            max=_percent(slo.max_bad_ratio(sli, _SLOWER_PAGE)),
            unit="%",
        )

    def of_resources(self, gates: Gates) -> Iterator[ReleaseGate]:
        name = f'pod=~"{self.service.pod_pattern("canary")}"'
        pods = f'namespace="{self.service.namespace}",{name}'
        # The series of whole pods: not every kubelet has series of containers.
        whole = f'{pods},container=""'
        if gates.cpu:
            used = (
                f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{whole}}}[{self.window}]))"
            )
            requested = pod_resource("requests", pods, "cpu", self.service.sidecars)
            yield ReleaseGate(
                "cpu",
                "CPU usage of the pods, percent of their request",
                f"100 * sum({used}) / sum({requested} and on (pod) {used})",
                max=gates.cpu,
                unit="%",
            )
        if gates.memory:
            used = f"max by (pod) (container_memory_working_set_bytes{{{whole}}})"
            limit = pod_resource("limits", pods, "memory", self.service.sidecars)
            yield ReleaseGate(
                "memory",
                "memory usage of a pod, percent of its limit",
                f"100 * max({used} / on (pod) {limit})",
                max=gates.memory,
                unit="%",
            )

    def of_queries(self, gates: Gates) -> Iterator[ReleaseGate]:
        matchers = selector(self.service.namespace, self.service.name, track="canary")
        for gate in gates.queries:
            query = gate.query.replace(SELECTOR, matchers)
            yield ReleaseGate(gate.name, gate.name, query, gate.min, gate.max)

    @property
    def _seconds(self) -> int:
        return int(self.window.removesuffix("m")) * 60

    @property
    def _canary(self) -> str:
        # Not every source of request metrics knows the version.
        return f'{self.service.selector(track="canary")},version=~"|{VERSION}"'

    @property
    def _stable(self) -> str:
        return self.service.selector(track="stable")

    def _requests(self, matchers: str) -> str:
        return f"sum({requests_series(self.window)}{{{matchers}}})"

    def _bad_requests(self, sli: Sli, matchers: str) -> str:
        slo = self.service.slo
        if sli == "latency" and slo and slo.latency_threshold:
            total = f'sum({duration_series(self.window)}{{{matchers},le="+Inf"}})'
            label = bucket_label(slo.latency_threshold)
            return f"({total} - sum({duration_series(self.window)}{{{matchers},{label}}}))"
        return f"sum({errors_series(self.window)}{{{matchers}}})"

    def _bad_ratio(self, sli: Sli, matchers: str) -> str:
        return f"({self._bad_requests(sli, matchers)} / ({self._requests(matchers)} > 0))"


def _percent(ratio: Decimal) -> float:
    return float(ratio * 100)
