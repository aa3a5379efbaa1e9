"""Steady load: requests at a constant rate, whether responses come or not (an open loop)."""

import json
import subprocess
import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from commands.errors import FAILED, CommandError

TIMEOUT_SECONDS = 10
"""Of one request."""
_FAILED_STATUS = 400
_END_SECONDS = TIMEOUT_SECONDS + 5


@dataclass(frozen=True)
class Response:
    """Response to one request, or its failure."""

    ended: float
    """Unix time."""
    seconds: float
    status: int
    """HTTP status. 0: no response."""
    source: str = ""
    """Value of the header that names the pod or the version."""

    @property
    def is_failed(self) -> bool:
        """True without a response, and for a status from 400 on."""
        return not 0 < self.status < _FAILED_STATUS


@dataclass
class Load:
    """Sends GET requests with vegeta until the end of the ``with`` block.

    Raises :class:`CommandError` if vegeta is missing or ends.
    """

    url: str
    rate: int
    """Requests per second."""
    header: str
    """Response header that names the pod or the version. Empty: none."""
    environment: Mapping[str, str]
    _responses: list[Response] = field(default_factory=list[Response], init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __enter__(self) -> Self:
        attack = (
            *("vegeta", "attack", f"-rate={self.rate}/1s", "-duration=0", "-max-body=0"),
            *(f"-timeout={TIMEOUT_SECONDS}s", "-redirects=-1"),
        )
        self._attack = self._start(attack, stdin=subprocess.PIPE)
        assert self._attack.stdin  # noqa: S101
        with self._attack.stdin as targets:
            targets.write(target(self.url).encode())
        self._encode = self._start(("vegeta", "encode", "-to=json"), stdin=self._attack.stdout)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in (self._attack, self._encode):
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def check(self) -> None:
        """Raise :class:`CommandError` if the load has ended."""
        for process in (self._attack, self._encode):
            if process.poll() is not None:
                raise CommandError(f"vegeta ended with exit code {process.returncode}", FAILED)

    def between(self, begin: float, end: float) -> Sequence[Response]:
        """Responses that ended from ``begin`` to before ``end``, in Unix time."""
        with self._lock:
            ordered = sorted(self._responses, key=_ended)
        return ordered[
            bisect_left(ordered, begin, key=_ended) : bisect_left(ordered, end, key=_ended)
        ]

    def _start(
        self, command: Sequence[str], stdin: "int | object | None"
    ) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                command,
                stdin=stdin,  # pyright: ignore[reportArgumentType]
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(self.environment),
                start_new_session=True,  # Ctrl-C ends the load after the cleanup
            )
        except FileNotFoundError:
            raise CommandError(
                "vegeta is not in PATH: install it, or run `make local-up`"
            ) from None

    def _read(self) -> None:
        assert self._encode.stdout  # noqa: S101
        for line in self._encode.stdout:
            response = parse(line, self.header)
            with self._lock:
                self._responses.append(response)


def target(url: str) -> str:
    """Target of vegeta. A name below localhost is this machine, whatever the resolver says."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host != "localhost" and not host.endswith(".localhost"):
        return f"GET {url}\n"
    local = parts._replace(netloc=f"127.0.0.1:{parts.port or 80}").geturl()
    return f"GET {local}\nHost: {parts.netloc}\n"


def parse(line: bytes, header: str) -> Response:
    """Read a result of vegeta, a line of JSON."""
    result = json.loads(line)
    seconds = result["latency"] / 1e9
    headers = {name.lower(): values for name, values in (result.get("headers") or {}).items()}
    source = headers.get(header.lower()) or [""]
    started = datetime.fromisoformat(result["timestamp"]).timestamp()
    return Response(started + seconds, seconds, result["code"], source[0])


def _ended(response: Response) -> float:
    return response.ended
