"""Queries to the observability servers of a stack."""

import time

from commands.observability_client import ObservabilityClient
from components.observability.addresses import LOKI, PROMETHEUS

MINUTES = 30
"""Time range of Loki queries."""


class Servers(ObservabilityClient):
    """Prometheus, Loki and Jaeger of one stack."""

    def values_by(self, label: str, promql: str) -> dict[str, float]:
        """Return the values of an instant query by a label."""
        return {series.labels.get(label, ""): series.value for series in self.query(promql)}

    def exemplar_traces(self, promql: str) -> set[str]:
        """Return the trace IDs of the exemplars of the last ten minutes."""
        end = time.time()
        series = self._get(
            PROMETHEUS,
            "/api/v1/query_exemplars",
            query=promql,
            start=f"{end - 600:.0f}",
            end=f"{end + 10:.0f}",
        )["data"]
        return {
            exemplar["labels"].get("trace_id", "")
            for item in series
            for exemplar in item["exemplars"]
        }

    def alert_states(self) -> dict[str, str]:
        """Return the states of the pending and firing alerts by name."""
        return {alert["labels"]["alertname"]: alert["state"] for alert in self.alerts()}

    def texts(self, logql: str, limit: int = 100) -> list[str]:
        """Return the log lines of a query, oldest first."""
        since = time.time_ns() - MINUTES * 60 * 10**9
        return [line.text for line in self.log_lines(logql, since, limit)]

    def has_logs(self, logql: str, since: int) -> bool:
        """Return whether a log or metric query has a result since a Unix time in nanoseconds."""
        return bool(self.query_logs(logql, since, 1, "backward")["result"])

    def count(self, logql: str) -> int:
        """Return the number of log lines of a query."""
        counted = f"sum(count_over_time({logql}[{MINUTES}m]))"
        found = self._get(LOKI, "/loki/api/v1/query", query=counted)["data"]["result"]
        return int(float(found[0]["value"][1])) if found else 0

    def operations(self, trace_id: str) -> list[str]:
        """Return the names of the spans of a trace, or none if the trace is not stored yet."""
        trace = self.trace(trace_id)
        return [span["operationName"] for span in trace["spans"]] if trace else []
