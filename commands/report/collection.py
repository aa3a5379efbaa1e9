"""Reads the content of a report from Prometheus, Loki, the records and the history of a stack."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from commands import kubectl
from commands.errors import CommandError
from commands.logs import LineFormatter
from commands.metrics import queries
from commands.observability_client import ObservabilityClient, Series, monitored
from commands.pulumi import Stack
from commands.release_records import ReleaseRecord
from commands.report.data import Kind, Line, Mark, Panel, Report, Style, Table, clock
from components.observability.monitored_service import MonitoredService
from components.observability.queries import (
    PODS,
    error_ratio,
    latency_quantile,
    log_selector,
    request_rate,
)
from components.observability.slo import BURN_RATES, Sli
from settings import Service, Settings, format_seconds, merged_service

SAMPLES = 300
"""Values of a line."""
LOG_LINES = 40
QUANTILES: Sequence[tuple[float, Style]] = ((0.5, "solid"), (0.95, "dash"), (0.99, "dot"))
"""Quantiles of durations, and the style of their lines."""
_BY = "track, version"
_MILLISECONDS = 1000
_PERCENT = 100
_MEBIBYTE = 2**20


class Collection:
    """Fills a report about one service. What cannot be read is named in ``report.missing``."""

    def __init__(self, report: Report, settings: Settings, service: Service) -> None:
        self.report = report
        self._settings = settings
        self._service = service
        (self._monitored,) = monitored(settings, [service])

    def add_metrics(self, client: ObservabilityClient) -> None:
        """Add the panels and the table of versions, from Prometheus."""
        try:
            self._add_panels(client, self._monitored)
            self._add_versions(client)
        except CommandError as error:
            self.report.missing.append(f"metrics: {error}")

    def _add_panels(self, client: ObservabilityClient, service: MonitoredService) -> None:
        matchers = service.selector()
        if service.requests is None:
            self.report.missing.append(f"requests: nothing measures those of {service.name}")
        else:
            self._add(client, "Requests", "requests/s", {"": request_rate(matchers, _BY)})
            errors = {"": error_ratio(matchers, _BY)}
            self._add(client, "Failed requests", "%", errors, factor=_PERCENT)
        if service.requests and service.requests.buckets:
            quantiles = {
                f"p{quantile * 100:g}": latency_quantile(quantile, matchers, _BY)
                for quantile, _ in QUANTILES
            }
            styles: dict[str, Style] = {
                f"p{quantile * 100:g}": style for quantile, style in QUANTILES
            }
            self._add(client, "Latency", "ms", quantiles, factor=_MILLISECONDS, styles=styles)
        pods = {"": f"sum by ({_BY}) ({PODS}{{{matchers}}})"}
        self._add(client, "Ready pods", "pods", pods)
        for sli in service.slo.slis if service.slo else ():
            self._add_gate(client, sli)
        usage = queries(service.namespace, [service])
        self._add(client, "CPU", "cores", {"": usage["CPU"]})
        self._add(client, "Memory", "MiB", {"": usage["memory"]}, factor=1 / _MEBIBYTE)

    def _add_gate(self, client: ObservabilityClient, sli: Sli) -> None:
        """Bad requests of both tracks beside the bound of the promotion gate."""
        slo = self._monitored.slo
        assert slo  # noqa: S101  # it has the indicator
        bad = slo.series("slo:canary_bad_requests:rate5m", sli=sli)
        canary = f"{bad} / ignoring (sli) ({slo.series('slo:canary_requests:rate5m')} > 0)"
        canary = f'label_replace({canary}, "track", "canary", "", "")'
        stable = slo.series("slo:track_bad_requests:ratio_rate5m", track="stable", sli=sli)
        bound = float(slo.max_bad_ratio(sli, BURN_RATES[0].factor)) * _PERCENT
        threshold = slo.latency_threshold
        slow = f" slower than {format_seconds(threshold)}" if threshold else ""
        self._add(
            client,
            f"Gate: {sli}",
            "%",
            {"": f"{canary} or {stable}"},
            factor=_PERCENT,
            bounds=[(f"bound {bound:.2f} %", bound)],
            description=f"Requests{slow if sli == 'latency' else ' that fail'}.",
        )

    def _add(
        self,
        client: ObservabilityClient,
        title: str,
        unit: str,
        named: Mapping[str, str],
        *,
        factor: float = 1,
        styles: Mapping[str, Style] | None = None,
        bounds: Sequence[tuple[str, float]] = (),
        description: str = "",
    ) -> None:
        """Add a panel with the series of queries, whose names are those of the lines."""
        start, end = self.report.start, self.report.end
        lines = [
            replace(_line(one, name, factor), style=(styles or {}).get(name, "solid"))
            for name, promql in named.items()
            for one in client.query_between(promql, start, end, SAMPLES)
        ]
        if lines:
            ordered = sorted(lines, key=lambda line: (line.is_canary, line.name))
            self.report.panels.append(Panel(title, unit, ordered, bounds, description))
        else:
            self.report.missing.append(f"{title}: Prometheus has no values in this time")

    def _add_versions(self, client: ObservabilityClient) -> None:
        query = f"sum by ({_BY}) ({PODS}{{{self._monitored.selector()}}}) > 0"
        found = client.query_between(query, self.report.start, self.report.end, SAMPLES)
        rows = [
            (
                one.labels.get("version", "?"),
                one.labels.get("track", "?"),
                clock(one.times[0]),
                clock(one.times[-1]),
                f"{max(one.values):.0f}",
            )
            for one in sorted(found, key=lambda series: series.times[0])
        ]
        columns = ("version", "track", "first ready", "last ready", "most ready pods")
        if rows:
            self.report.tables.append(Table("Versions", columns, rows))

    def add_logs(self, client: ObservabilityClient) -> None:
        """Add log lines with the level warn and above, from Loki."""
        query = log_selector(self._settings.namespace.name, self._service.name)
        query += ' | level=~"warn|error|fatal"'
        formatter = LineFormatter(self._settings)
        try:
            lines = client.log_lines(
                query,
                int(self.report.start * 1e9),
                LOG_LINES,
                until=int(self.report.end * 1e9),
            )
        except CommandError as error:
            self.report.missing.append(f"log lines: {error}")
            return
        rows = [(formatter.format(line).plain,) for line in lines]
        if rows:
            title = f"Log lines with level warn and above (the newest {LOG_LINES})"
            self.report.tables.append(Table(title, ("line",), rows))
        else:
            self.report.missing.append("log lines: none with level warn and above in this time")

    def add_updates(self, stack: Stack) -> None:
        """Mark each update of the stack that changed the release of the service."""
        try:
            updates = [
                (ended, _release_text(merged_service(sections, self._service.name)))
                for ended, sections in stack.updates()
            ]
        except (CommandError, KeyError) as error:
            self.report.missing.append(f"steps: the history of the stack cannot be read: {error}")
            return
        for (ended, text), (_, before) in pairwise([*updates, (0.0, "")]):
            if text != before:
                self._mark(ended, text)

    def add_flagger_events(self, environment: Mapping[str, str]) -> None:
        """Mark the steps of a progressive release."""
        if self._service.release.strategy != "progressive":
            return
        try:
            found = kubectl.get(
                *("events", "--namespace", self._settings.namespace.name),
                *("--field-selector", "involvedObject.kind=Canary"),
                environment=environment,
                context=self._settings.cluster.context,
            )
        except CommandError as error:
            self.report.missing.append(f"steps of Flagger: {error}")
            return
        for event in found.get("items", ()):
            at = event.get("lastTimestamp") or event.get("eventTime")
            if at and event["involvedObject"]["name"].startswith(self._service.name):
                self._mark(datetime.fromisoformat(at).timestamp(), event.get("message", ""))

    def add_records(self, records: Iterable[ReleaseRecord]) -> None:
        """Add the table of releases, and mark their ends."""
        rows: list[Sequence[str]] = []
        for record in records:
            started = datetime.fromisoformat(record.started).timestamp()
            ended = record.ended and datetime.fromisoformat(record.ended).timestamp()
            if started > self.report.end or (ended or started) < self.report.start:
                continue
            rows.append(
                (
                    record.version,
                    record.strategy,
                    clock(started),
                    clock(ended) if ended else "-",
                    record.result,
                    record.decided_by,
                    record.reason,
                    (record.digest or "-").removeprefix("sha256:")[:12],
                )
            )
            if ended:
                text = f"{record.version}: {record.result}, {record.reason or record.decided_by}"
                self._mark(ended, text, "verdict")
        columns = ("version", "strategy", "started", "ended", "result", "decided by", "reason")
        if rows:
            self.report.tables.insert(0, Table("Releases", (*columns, "digest"), rows))
        else:
            self.report.missing.append("records: there is none of a release in this time")

    def _mark(self, at: float, text: str, kind: Kind = "step") -> None:
        if self.report.start <= at <= self.report.end:
            self.report.marks.append(Mark(at, text, kind))


def _line(series: Series, name: str, factor: float) -> Line:
    labels = series.labels
    parts = (labels.get("track", ""), labels.get("version", ""), name)
    values = [value * factor if math.isfinite(value) else math.nan for value in series.values]
    title = " ".join(part for part in parts if part) or "all"
    return Line(title, series.times, values, labels.get("track") == "canary")


def _release_text(service: Mapping[str, Any]) -> str:
    """The versions of a release in words. Empty: the service is not in the stack."""
    release = service.get("release") or {}
    parts = [
        f"{track} {one.get('version')}" + (f" at {one['weight']} %" if "weight" in one else "")
        for track in ("stable", "canary", "idle")
        if (one := release.get(track))
    ]
    return ", ".join(parts)
