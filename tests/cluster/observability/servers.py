"""The servers of a stack, asked as the commands ask them, and what else tests want of them."""

import time

from commands.observability_client import ObservabilityClient
from components.observability.addresses import LOKI, PROMETHEUS

MINUTES = 30
"""How far back Loki is asked."""


class Servers(ObservabilityClient):
    """Prometheus, Loki and Jaeger of one stack."""

    def values_by(self, label: str, promql: str) -> dict[str, float]:
        """The value of each series, by one of its labels."""
        return {series.labels.get(label, ""): series.value for series in self.query(promql)}

    def exemplar_traces(self, promql: str) -> set[str]:
        """The traces that exemplars of the last ten minutes point to."""
        end = time.time()
        found = self._get(
            PROMETHEUS,
            "/api/v1/query_exemplars",
            query=promql,
            start=f"{end - 600:.0f}",
            end=f"{end + 10:.0f}",
        )["data"]
        return {
            one["labels"].get("trace_id", "") for series in found for one in series["exemplars"]
        }

    def alert_states(self) -> dict[str, str]:
        """The state of every alert that is not inactive, by name."""
        return {one["labels"]["alertname"]: one["state"] for one in self.alerts()}

    def texts(self, logql: str, limit: int = 100) -> list[str]:
        """The log lines that a query selects, oldest first."""
        since = time.time_ns() - MINUTES * 60 * 10**9
        return [line.text for line in self.log_lines(logql, since, limit)]

    def has_logs(self, logql: str, since: int) -> bool:
        """True if a log or metric query has a result since a Unix time in nanoseconds."""
        return bool(self.query_logs(logql, since, 1, "backward")["result"])

    def count(self, logql: str) -> int:
        """How many lines a query selects."""
        counted = f"sum(count_over_time({logql}[{MINUTES}m]))"
        found = self._get(LOKI, "/loki/api/v1/query", query=counted)["data"]["result"]
        return int(float(found[0]["value"][1])) if found else 0

    def operations(self, trace_id: str) -> list[str]:
        """What each span of a trace is called; none while it has not arrived."""
        trace = self.trace(trace_id)
        return [span["operationName"] for span in trace["spans"]] if trace else []
