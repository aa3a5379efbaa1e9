"""The servers of a stack, asked as a person's tools ask them: through the API server's proxy."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from components.observability.addresses import JAEGER, LOKI, PROMETHEUS, Address
from tests.cluster.project import Project

Json = dict[str, Any]
NANOSECONDS = 10**9


@dataclass(frozen=True)
class Servers:
    """Prometheus, Alertmanager, Loki and Jaeger of one stack."""

    project: Project

    @property
    def namespace(self) -> str:
        """Where they run."""
        return monitoring_namespace(self.project)

    def ask(self, server: Address, path: str, **parameters: str) -> Any:
        """What a server answers to a GET, as JSON."""
        return json.loads(self.project.kubectl("get", "--raw", self._at(server, path, parameters)))

    def _at(self, server: Address, path: str, parameters: Mapping[str, str]) -> str:
        query = f"?{urlencode(parameters)}" if parameters else ""
        service = f"{server.server}:{server.port}"
        return f"/api/v1/namespaces/{self.namespace}/services/{service}/proxy{path}{query}"

    def prometheus(self, query: str) -> list[Json]:
        """The series that an instant query gives."""
        answer = self.ask(PROMETHEUS, "/api/v1/query", query=query)
        return answer["data"]["result"]

    def value(self, query: str) -> float | None:
        """The one value that a query gives; ``None`` where there is no series."""
        series = self.prometheus(query)
        return float(series[0]["value"][1]) if series else None

    def values_by(self, label: str, query: str) -> dict[str, float]:
        """The value of each series, by one of its labels."""
        return {
            one["metric"].get(label, ""): float(one["value"][1]) for one in self.prometheus(query)
        }

    def exemplars(self, query: str) -> list[Json]:
        """Exemplars of the last ten minutes."""
        now = time.time()
        answer = self.ask(
            PROMETHEUS,
            "/api/v1/query_exemplars",
            query=query,
            start=f"{now - 600:.0f}",
            end=f"{now + 10:.0f}",
        )
        return [exemplar for series in answer["data"] for exemplar in series["exemplars"]]

    def alerts(self) -> Mapping[str, str]:
        """The state of every alert that is not inactive, by name."""
        answer = self.ask(PROMETHEUS, "/api/v1/alerts")
        return {one["labels"]["alertname"]: one["state"] for one in answer["data"]["alerts"]}

    def lines(self, query: str, minutes: int = 30, limit: int = 100) -> list[str]:
        """The log lines that a LogQL query selects, oldest first."""
        now = time.time_ns()
        answer = self.ask(
            LOKI,
            "/loki/api/v1/query_range",
            query=query,
            start=str(now - minutes * 60 * NANOSECONDS),
            end=str(now),
            limit=str(limit),
            direction="forward",
        )
        return [text for stream in answer["data"]["result"] for _, text in stream["values"]]

    def count(self, query: str, minutes: int = 30) -> int:
        """How many lines a LogQL query selects."""
        answer = self.ask(
            LOKI,
            "/loki/api/v1/query",
            query=f"sum(count_over_time({query}[{minutes}m]))",
        )
        result = answer["data"]["result"]
        return int(float(result[0]["value"][1])) if result else 0

    def trace(self, trace_id: str) -> list[Json]:
        """The spans of a trace; none while it has not arrived."""
        path = self._at(JAEGER, f"/api/traces/{trace_id}", {})
        result = self.project.run("kubectl", "get", "--raw", path)
        if result.returncode != 0:
            assert "not found" in result.stderr.lower(), result.stderr
            return []
        return [span for trace in json.loads(result.stdout)["data"] for span in trace["spans"]]


def monitoring_namespace(project: Project) -> str:
    """Where the stack's servers run: beside, not in, the namespace of its service."""
    return f"{project.stack}-monitoring"
