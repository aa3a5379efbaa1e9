"""HTTP client of a stack's Prometheus, Alertmanager, Loki and Jaeger, through port-forwards."""

import http.client
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

from commands.control_characters import escape_json
from commands.errors import CommandError
from commands.kubectl import kubectl_command
from commands.port_forward import PortForward, ServerDownError
from components.observability.addresses import ALERTMANAGER, JAEGER, LOKI, PROMETHEUS, Address
from components.observability.monitored_service import MonitoredService
from settings import Service, Settings

TIMEOUT_SECONDS = 30
"""Of one request."""
_SAMPLES = 60
"""Samples of a range query: enough for one line of text."""


@dataclass(frozen=True)
class Series:
    """One series of a PromQL result."""

    labels: Mapping[str, str]
    values: tuple[float, ...]
    """Oldest first; one value for an instant query."""
    times: tuple[float, ...] = ()
    """Unix time of each value."""

    @property
    def value(self) -> float:
        """The newest value."""
        return self.values[-1]


@dataclass(frozen=True)
class LogLine:
    """One log line."""

    nanoseconds: int
    """Timestamp, in Unix time."""
    labels: Mapping[str, str]
    text: str


def check_mode(settings: Settings, stack: str) -> None:
    """Raise :class:`CommandError` if the stack deploys no observability servers."""
    mode = settings.observability.mode
    key = f"slipway:observability.mode in Pulumi.{stack}.yaml"
    if mode == "off":
        raise CommandError(
            f"the stack {stack} has no observability servers: {key} is off. Set it to bundled, "
            "then `make up`"
        )
    if mode == "operator":
        raise CommandError(
            f"the stack {stack} has no servers of its own: {key} is operator. Use the Grafana and "
            "the Prometheus of the cluster's kube-prometheus-stack"
        )


def monitored(settings: Settings, services: Iterable[Service]) -> list[MonitoredService]:
    """Return the monitoring of services of a stack."""
    return [
        MonitoredService.of(service, settings.namespace.name, settings.observability)
        for service in services
    ]


class ObservabilityClient:
    """Queries the servers of one stack. A context manager that ends its port-forwards.

    Every query raises :class:`~commands.port_forward.ServerDownError` while its server is down, and
    :class:`CommandError` if the server cannot be reached or rejects the query. The next query tries
    again.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self.environment = dict(environment)
        self._forwards: dict[Address, PortForward] = {}

    def __enter__(self) -> Self:
        config = self.environment.get("KUBECONFIG", "")
        if config and not any(Path(file).exists() for file in config.split(os.pathsep)):
            raise CommandError(f"there is no cluster ({config} is missing): run `make up`")
        return self

    def __exit__(self, *_: object) -> None:
        for forward in self._forwards.values():
            forward.end()

    @property
    def namespace(self) -> str:
        """Namespace of the servers."""
        return self.settings.network.monitoring_namespace

    def forward(self, server: Address, port: int = 0) -> PortForward:
        """Return the port-forward to a server; start one if there is none, or if it has ended.

        ``port`` is the local port of the first one and of its successors, or 0 for any free one.
        """
        forward = self._forwards.get(server)
        if forward is None or not forward.is_running:
            port = forward.requested_port if forward else port
            forward = PortForward(server, self._kubectl(), self.environment, port)
            self._forwards[server] = forward
        return forward

    def query(self, promql: str, at: float | None = None) -> list[Series]:
        """Run an instant query; every series has one value.

        ``at`` is the Unix time of the evaluation, by default now.
        """
        time_of = {} if at is None else {"time": f"{at:.3f}"}
        data = self._prometheus("query", query=promql, **time_of)
        if data["resultType"] in ("scalar", "string"):
            return [Series({}, (float(data["result"][1]),))]
        if data["resultType"] == "matrix":
            return [_series(one["metric"], one["values"]) for one in data["result"]]
        return [_series(one["metric"], [one["value"]]) for one in data["result"]]

    def query_range(self, promql: str, seconds: int) -> list[Series]:
        """Run a range query over the last ``seconds``."""
        end = time.time()
        return self.query_between(promql, end - seconds, end)

    def query_between(
        self, promql: str, start: float, end: float, samples: int = _SAMPLES
    ) -> list[Series]:
        """Run a range query between two Unix times, with at most about ``samples`` values."""
        data = self._prometheus(
            "query_range",
            query=promql,
            start=f"{start:.0f}",
            end=f"{end:.0f}",
            step=str(max(1, int(end - start) // samples)),
        )
        return [_series(one["metric"], one["values"]) for one in data["result"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Pending and firing alerts in Prometheus."""
        return self._prometheus("alerts")["alerts"]

    def silenced_alerts(self) -> list[Mapping[str, str]]:
        """Labels of each alert that is silenced or inhibited in Alertmanager."""
        alerts = self._get(ALERTMANAGER, "/api/v2/alerts")
        return [one["labels"] for one in alerts if one["status"]["state"] == "suppressed"]

    def log_lines(
        self,
        logql: str,
        since: int,
        limit: int,
        *,
        newest: bool = True,
        until: int | None = None,
    ) -> list[LogLine]:
        """Log lines since a Unix time in nanoseconds, and before ``until``, oldest first.

        If there are more than ``limit``, the newest of them, or the oldest with ``newest=False``.
        """
        data = self.query_logs(logql, since, limit, "backward" if newest else "forward", until)
        if data["resultType"] != "streams":
            raise CommandError(
                "QUERY is a metric query and returns no log lines: leave out the function"
            )
        lines = [
            LogLine(int(at), stream["stream"], text)
            for stream in data["result"]
            for at, text, *_ in stream["values"]
        ]
        return sorted(lines, key=lambda line: line.nanoseconds)

    def query_logs(
        self, logql: str, since: int, limit: int, direction: str, until: int | None = None
    ) -> dict[str, Any]:
        """Run a LogQL range query between Unix times in nanoseconds; return Loki's data."""
        return self._get(
            LOKI,
            "/loki/api/v1/query_range",
            query=logql,
            start=str(since),
            end=str(until or time.time_ns()),
            limit=str(limit),
            direction=direction,
        )["data"]

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        """One trace in Jaeger's format, or None if Jaeger does not have it."""
        try:
            found = self._get(JAEGER, f"/api/traces/{trace_id}")["data"]
        except _RejectedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found[0] if found else None

    def traces(self, service: str, seconds: int, limit: int) -> list[dict[str, Any]]:
        """The newest traces of a service in Jaeger's format."""
        end = time.time_ns() // 1000
        response = self._get(
            JAEGER,
            "/api/traces",
            service=service,
            start=str(end - seconds * 1_000_000),
            end=str(end),
            limit=str(limit),
        )
        return response["data"] or []

    def http_status(self, server: Address, path: str) -> int:
        """HTTP status of a page of a server."""
        return self._request(server, path)[0]

    def _prometheus(self, path: str, **parameters: str) -> dict[str, Any]:
        return self._get(PROMETHEUS, f"/api/v1/{path}", **parameters)["data"]

    def _get(self, server: Address, path: str, **parameters: str) -> Any:  # noqa: ANN401
        status, body = self._request(server, path, **parameters)
        if status != HTTPStatus.OK:
            raise self._error(server, status, body)
        return escape_json(json.loads(body))  # the terminal shows it

    def _request(self, server: Address, path: str, **parameters: str) -> tuple[int, str]:
        url = f"{quote(path)}?{urlencode(parameters)}"
        # Twice: the pod may have been replaced, and a new port-forward selects the new one.
        for _ in range(2):
            forward = self.forward(server)
            try:
                return _http_get(forward.port, url)
            except TimeoutError:
                forward.end()
                raise self._down(server, f"no response within {TIMEOUT_SECONDS} s") from None
            except (OSError, http.client.HTTPException):
                forward.end()
        raise self._down(server, "its pod does not respond")

    def _kubectl(self) -> list[str]:
        return [*kubectl_command(self.settings.cluster.context), "--namespace", self.namespace]

    def _down(self, server: Address, reason: str) -> ServerDownError:
        return ServerDownError(server, self._kubectl(), reason)

    def _error(self, server: Address, status: int, body: str) -> CommandError:
        reason = _error_message(body)
        if status == HTTPStatus.SERVICE_UNAVAILABLE and not reason:
            return self._down(server, body.strip() or "not ready")
        return _RejectedError(server.server, status, reason or body.strip())


class _RejectedError(CommandError):
    """A server responded with an error."""

    def __init__(self, server: str, status: int, reason: str) -> None:
        super().__init__(f"{server} rejects the query: {reason or f'status {status}'}")
        self.status = status


def _http_get(port: int, url: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", url, headers={"Accept": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


def _error_message(body: str) -> str:
    """Error message in a JSON body: ``error`` of Prometheus and Loki, ``errors`` of Jaeger."""
    try:
        response = json.loads(body)
    except json.JSONDecodeError:
        return ""
    if not isinstance(response, dict):
        return ""
    errors = response.get("errors")
    if isinstance(errors, list) and errors:
        return str(errors[0].get("msg", ""))
    return str(response.get("error", ""))


def _series(labels: Mapping[str, str], samples: list[list[Any]]) -> Series:
    # Prometheus writes values as text, such as "NaN" and "+Inf".
    values = tuple(float(value) for _, value in samples)
    return Series(labels, values, tuple(float(at) for at, _ in samples))


def single_value(client: ObservabilityClient, promql: str, at: float | None = None) -> float:
    """Value of the only series; 0 if there is none."""
    found = client.query(promql, at)
    return found[0].value if found else 0.0
