"""Request metrics from queries in the stack file."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.observability.queries import DURATION, REQUESTS, selector
from components.observability.request_metrics.request_metrics import RequestMetrics
from components.observability.rule import Rule
from settings import SloQueries
from settings.prometheus_formats import SELECTOR

_LABELS = "track, version, method, route, status"


@dataclass(frozen=True)
class QueriedRequestMetrics(RequestMetrics):
    """Metrics of any kind, such as the jobs of a worker."""

    queries: SloQueries

    def request_rules(self) -> Iterator[Rule]:
        requests = f"sum by ({_LABELS}) ({self._query(self.queries.requests)})"
        if self.queries.errors:
            by = "track, version, method, route"
            errors = f"sum by ({by}) ({self._query(self.queries.errors)})"
            total = f"sum by ({by}) ({self._query(self.queries.requests)})"
            yield self.record(REQUESTS, errors, status="error")
            yield self.record(REQUESTS, f"{total} - ({errors} or 0 * {total})", status="success")
        else:
            yield self.record(REQUESTS, requests)
        if self.queries.duration:
            duration = self._query(self.queries.duration)
            yield self.record(DURATION, f"sum by (track, version, route, le) ({duration})")

    def _query(self, text: str) -> str:
        return text.replace(SELECTOR, selector(self.namespace, self.service))
