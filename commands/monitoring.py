"""The servers that watch a stack, asked through the Kubernetes API server.

No port is opened: `kubectl proxy` listens on a socket in a folder of this user's only, and hands on
nothing but reads of the monitoring namespace's Services. Unlike `kubectl get --raw` it keeps what a
server says when it refuses a query.
"""

import http.client
import json
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from commands.errors import BAD_INPUT, FAILED, CommandError
from components.observability.addresses import ALERTMANAGER, JAEGER, LOKI, PROMETHEUS, Address
from settings import Settings

ANSWER_SECONDS = 30
"""How long a server may take for one answer."""
_START_SECONDS = 30
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


class Monitoring:
    """The servers of one stack. A context manager: what it starts ends with it."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self.environment = dict(environment)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._proxy: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        config = self.environment.get("KUBECONFIG", "")
        if config and not any(Path(file).exists() for file in config.split(os.pathsep)):
            raise CommandError(f"there is no cluster ({config} is missing): run `make up`")
        self._folder = tempfile.TemporaryDirectory(prefix="slipway-")
        try:
            self._proxy = subprocess.Popen(
                self.kubectl(
                    "proxy",
                    f"--unix-socket={self._socket}",
                    f"--accept-paths=^/api/v1/namespaces/{self._namespace}/services/.*",
                    "--reject-methods=POST,PUT,PATCH,DELETE",
                ),
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                # Ctrl-C ends the command, which then ends the proxy.
                start_new_session=True,
            )
            self._await_proxy(self._proxy)
        except FileNotFoundError:
            self._end()
            raise CommandError("there is no kubectl: run `make local-up`") from None
        except CommandError:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def kubectl(self, *arguments: str) -> list[str]:
        """The command for something else in the servers' namespace."""
        context = self.settings.cluster.context
        where = ["--context", context] if context else []
        return ["kubectl", *where, "--namespace", self._namespace, *arguments]

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
        status, body = self._ask(server, path)
        if status >= HTTPStatus.BAD_REQUEST and '"kind":"Status"' in body.replace(" ", ""):
            raise self._refusal(server, status, body)
        return status

    def _end(self) -> None:
        if self._proxy:
            self._proxy.terminate()
            self._proxy.communicate()
        if self._folder:
            self._folder.cleanup()

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

    @property
    def _socket(self) -> str:
        assert self._folder  # noqa: S101  # for the type checker: entered
        return str(Path(self._folder.name, "proxy"))

    def _await_proxy(self, proxy: subprocess.Popen[str]) -> None:
        end = time.monotonic() + _START_SECONDS
        while not _listens(self._socket):
            if proxy.poll() is not None:
                reason = proxy.stderr.read().strip() if proxy.stderr else ""
                raise CommandError(f"cannot ask the cluster: {reason}")
            if time.monotonic() > end:
                raise CommandError("cannot ask the cluster: kubectl proxy does not start", FAILED)
            time.sleep(0.01)

    def _get(self, server: Address, path: str, **parameters: str) -> Any:  # noqa: ANN401
        status, body = self._ask(server, path, **parameters)
        if status != HTTPStatus.OK:
            raise self._refusal(server, status, body)
        return json.loads(body)

    def _ask(self, server: Address, path: str, **parameters: str) -> tuple[int, str]:
        service = f"/api/v1/namespaces/{self._namespace}/services/{server.server}:{server.port}"
        url = f"{service}/proxy{quote(path)}?{urlencode(parameters)}"
        connection = _SocketConnection(self._socket)
        try:
            connection.request("GET", url, headers={"Accept": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise CommandError(f"the cluster does not answer: {error}") from None
        finally:
            connection.close()

    def _refusal(self, server: Address, status: int, body: str) -> CommandError:
        name, namespace = server.server, self._namespace
        try:
            answer = json.loads(body)
        except json.JSONDecodeError:
            answer = {}
        if not isinstance(answer, dict):
            answer = {}
        if answer.get("kind") == "Status":
            message = answer.get("message", "")
            if status == HTTPStatus.NOT_FOUND:
                return CommandError(f"there is no {name} in {namespace} ({message}): run `make up`")
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                return CommandError(
                    f"{name} is down ({message}): see `kubectl --namespace {namespace} get pods`"
                )
            return CommandError(f"cannot reach {name}: {message}")
        if status == HTTPStatus.BAD_GATEWAY and not body.strip():
            return CommandError("the cluster does not answer: see `make local-status`")
        return _RefusedError(name, status, _reason(answer) or body.strip())


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        return attempt.connect_ex(path) == 0


class _RefusedError(CommandError):
    """A server answered, but not with what was asked for."""

    def __init__(self, server: str, status: int, reason: str) -> None:
        super().__init__(f"{server} refuses: {reason or f'status {status}'}", BAD_INPUT)
        self.status = status


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


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
