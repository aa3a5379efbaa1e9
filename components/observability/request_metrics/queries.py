"""Request metrics from queries in the stack file."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.observability.queries import (
    WINDOW,
    duration_series,
    requests_series,
    selector,
)
from components.observability.request_metrics.request_metrics import RequestMetrics
from components.observability.rule import Rule
from settings import SloQueries
from settings.prometheus_formats import SELECTOR

_LABELS = "track, version, method, route, status"


@dataclass(frozen=True)
class QueriedRequestMetrics(RequestMetrics):
    """Metrics of any kind, such as the jobs of a worker."""

    queries: SloQueries

    def request_rules(self, window: str) -> Iterator[Rule]:
        requests = f"sum by ({_LABELS}) ({self._query(self.queries.requests, window)})"
        if self.queries.errors:
            by = "track, version, method, route"
            errors = f"sum by ({by}) ({self._query(self.queries.errors, window)})"
            total = f"sum by ({by}) ({self._query(self.queries.requests, window)})"
            yield self.record(requests_series(window), errors, status="error")
            yield self.record(
                requests_series(window), f"{total} - ({errors} or 0 * {total})", status="success"
            )
        else:
            yield self.record(requests_series(window), requests)
        if self.queries.duration:
            duration = self._query(self.queries.duration, window)
            yield self.record(
                duration_series(window), f"sum by (track, version, route, le) ({duration})"
            )

    def _query(self, text: str, window: str) -> str:
        text = text.replace(SELECTOR, selector(self.namespace, self.service))
        return text.replace(f"[{WINDOW}]", f"[{window}]")
