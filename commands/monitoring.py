"""The servers that watch a stack, each asked through a port-forward of its own."""

import http.client
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from commands.errors import BAD_INPUT, CommandError
from commands.port_forward import PortForward, ServerDownError
from components.observability.addresses import ALERTMANAGER, JAEGER, LOKI, PROMETHEUS, Address
from components.observability.dashboards.scope import Scope
from components.observability.slo import Slo
from settings import Settings

ANSWER_SECONDS = 30
"""How long a server may take for one answer."""
_POINTS = 60
"""Samples of a series over time: enough for a line of text."""
_DURATION = re.compile(r"([1-9][0-9]{0,4})(s|m|h|d)")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Series:
    """One series of an answer: its newest value last."""

    labels: Mapping[str, str]
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The newest."""
        return self.values[-1]


@dataclass(frozen=True)
class Line:
    """One log line."""

    nanoseconds: int
    """When it was written, in Unix time."""
    labels: Mapping[str, str]
    text: str


def period(text: str, name: str) -> int:
    """A span of time such as ``15m``, in seconds. ``name`` is the variable it was given by."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise CommandError(f"{name}={text}: use a number and s, m, h or d, like 15m")
    return int(found[1]) * _UNIT_SECONDS[found[2]]


def check_mode(settings: Settings, stack: str) -> None:
    """Raise :class:`CommandError` where the stack deploys no servers."""
    mode = settings.observability.mode
    key = f"slipway:observability.mode in Pulumi.{stack}.yaml"
    if mode == "off":
        raise CommandError(
            f"nothing watches the stack {stack}: {key} is off. Set it to bundled, then `make up`"
        )
    if mode == "operator":
        raise CommandError(
            f"the stack {stack} has no servers of its own: {key} is operator. Look into the "
            "Grafana and the Prometheus of the cluster's kube-prometheus-stack"
        )


def scope_of(settings: Settings) -> Scope:
    """Return the service level objective and the namespaces of a stack."""
    slo = Slo(settings.service.name, settings.namespace.name, settings.slo)
    return Scope(slo, settings.network.monitoring_namespace)


class Monitoring:
    """The servers of one stack. A context manager: what it starts ends with it.

    Every question raises :class:`~commands.port_forward.ServerDownError` while no pod of its server
    answers, and :class:`CommandError` where there is no way to it, or the server refuses. The next
    question tries again.
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for forward in self._forwards.values():
            forward.end()

    def kubectl(self, *arguments: str) -> list[str]:
        """The command for something else in the servers' namespace."""
        context = self.settings.cluster.context
        where = ["--context", context] if context else []
        return ["kubectl", *where, "--namespace", self._namespace, *arguments]

    def forward(self, server: Address, port: int = 0) -> PortForward:
        """The way to a server: the one in use or, where that has ended, a new one, begun now.

        The first one's ``port`` stays; 0 is any that is free.
        """
        known = self._forwards.get(server)
        if known is None or not known.is_running:
            port = known.wanted if known else port
            known = PortForward(server, self.kubectl(), self.environment, port)
            self._forwards[server] = known
        return known

    def now(self, promql: str) -> list[Series]:
        """What Prometheus says now; every series has one value."""
        data = self._prometheus("query", query=promql)
        if data["resultType"] in ("scalar", "string"):
            return [Series({}, (_number(data["result"][1]),))]
        if data["resultType"] == "matrix":
            return [_series(one["metric"], one["values"]) for one in data["result"]]
        return [_series(one["metric"], [one["value"]]) for one in data["result"]]

    def over(self, promql: str, seconds: int) -> list[Series]:
        """What Prometheus said over the last seconds."""
        end = time.time()
        data = self._prometheus(
            "query_range",
            query=promql,
            start=f"{end - seconds:.0f}",
            end=f"{end:.0f}",
            step=str(max(1, seconds // _POINTS)),
        )
        return [_series(one["metric"], one["values"]) for one in data["result"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Pending and firing alerts, as Prometheus has them."""
        return self._prometheus("alerts")["alerts"]

    def silenced(self) -> list[Mapping[str, str]]:
        """The labels of each alert that Alertmanager tells nobody of."""
        answer = self._get(ALERTMANAGER, "/api/v2/alerts")
        return [one["labels"] for one in answer if one["status"]["state"] == "suppressed"]

    def lines(self, logql: str, since: int, limit: int, *, newest: bool = True) -> list[Line]:
        """Log lines that are not older than ``since``, in nanoseconds; the newest last.

        With ``newest`` the newest of too many, otherwise the oldest.
        """
        data = self._loki(logql, since, limit, "backward" if newest else "forward")
        if data["resultType"] != "streams":
            raise CommandError("QUERY asks for numbers, not for lines: leave out the function")
        lines = [
            Line(int(at), stream["stream"], text)
            for stream in data["result"]
            for at, text, *_ in stream["values"]
        ]
        return sorted(lines, key=lambda line: line.nanoseconds)

    def has_logs(self, logql: str, since: int) -> bool:
        """Whether a query for lines or for numbers has an answer."""
        data = self._loki(logql, since, 1, "backward")
        return bool(data["result"])

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        """One trace, as Jaeger has it."""
        try:
            found = self._get(JAEGER, f"/api/traces/{trace_id}")["data"]
        except _RefusedError as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found[0] if found else None

    def traces(self, service: str, seconds: int, limit: int) -> list[dict[str, Any]]:
        """The newest traces of a service."""
        end = time.time_ns() // 1000
        answer = self._get(
            JAEGER,
            "/api/traces",
            service=service,
            start=str(end - seconds * 1_000_000),
            end=str(end),
            limit=str(limit),
        )
        return answer["data"] or []

    def status(self, server: Address, path: str) -> int:
        """What a server answers a browser with."""
        return self._ask(server, path)[0]

    def _prometheus(self, path: str, **parameters: str) -> dict[str, Any]:
        return self._get(PROMETHEUS, f"/api/v1/{path}", **parameters)["data"]

    def _loki(self, logql: str, since: int, limit: int, direction: str) -> dict[str, Any]:
        return self._get(
            LOKI,
            "/loki/api/v1/query_range",
            query=logql,
            start=str(since),
            end=str(time.time_ns()),
            limit=str(limit),
            direction=direction,
        )["data"]

    @property
    def _namespace(self) -> str:
        return self.settings.network.monitoring_namespace

    def _get(self, server: Address, path: str, **parameters: str) -> Any:  # noqa: ANN401
        status, body = self._ask(server, path, **parameters)
        if status != HTTPStatus.OK:
            raise self._refusal(server, status, body)
        return json.loads(body)

    def _ask(self, server: Address, path: str, **parameters: str) -> tuple[int, str]:
        url = f"{quote(path)}?{urlencode(parameters)}"
        # The pod may have been replaced since: then the second way leads to the new one.
        for _ in range(2):
            forward = self.forward(server)
            try:
                return _answer(forward.port, url)
            except TimeoutError:
                forward.end()
                raise self._down(server, f"no answer in {ANSWER_SECONDS} s") from None
            except (OSError, http.client.HTTPException):
                forward.end()
        raise self._down(server, "its pod does not answer")

    def _down(self, server: Address, reason: str) -> ServerDownError:
        return ServerDownError(server, self.kubectl(), reason)

    def _refusal(self, server: Address, status: int, body: str) -> CommandError:
        try:
            answer = json.loads(body)
        except json.JSONDecodeError:
            answer = {}
        reason = _reason(answer) if isinstance(answer, dict) else ""
        if status == HTTPStatus.SERVICE_UNAVAILABLE and not reason:
            return self._down(server, body.strip() or "not ready")
        return _RefusedError(server.server, status, reason or body.strip())


def _answer(port: int, url: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", url, headers={"Accept": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


class _RefusedError(CommandError):
    """A server answered, but not with what was asked for."""

    def __init__(self, server: str, status: int, reason: str) -> None:
        super().__init__(f"{server} refuses: {reason or f'status {status}'}", BAD_INPUT)
        self.status = status


def _reason(answer: Mapping[str, Any]) -> str:
    """Prometheus and Loki say ``error``, Jaeger has a list of them."""
    errors = answer.get("errors")
    if isinstance(errors, list) and errors:
        return str(errors[0].get("msg", ""))
    return str(answer.get("error", ""))


def _series(labels: Mapping[str, str], values: list[list[Any]]) -> Series:
    return Series(labels, tuple(_number(value) for _, value in values))


def _number(text: str) -> float:
    """Prometheus writes numbers as text, ``NaN`` and ``+Inf`` among them."""
    return float(text)
