"""Constant load on a URL: an open loop by vegeta, which does not wait for responses.

A slow or failing service gets as many requests as a healthy one, so no failure is hidden by clients
that wait.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Self

from rich.console import Console

from commands.errors import FAILED, CommandError
from local.detection import detect
from local.layout import Layout
from local.node import Node
from local.progress import Display

VERSION_HEADER = "X-Version"
"""Response header with the version that has sent it."""
BODY_BYTES = 200
"""Bytes of a response body that a result has."""
STOP_SECONDS = 60
"""Longest wait for the last responses, beyond the timeout of a request."""


@dataclass(frozen=True)
class Result:
    """One request and its response."""

    sent: float
    """Unix time."""
    latency: float
    """Seconds from the request to the end of the response."""
    status: int
    """0: no response."""
    version: str
    """Version that has sent the response, or what the header says instead. Empty: not known."""
    error: str
    """Reason of a failure: no response, or a status outside of 200-399. Empty: none."""
    body: str
    """First :data:`BODY_BYTES` of the response."""

    @property
    def received(self) -> float:
        """Unix time of the end of the response."""
        return self.sent + self.latency


def _result(line: bytes, version_header: str) -> Result:
    """Read a line of ``vegeta encode --to=json``."""
    known: dict[str, Any] = json.loads(line)
    headers: Mapping[str, Sequence[str]] = {
        name.lower(): values for name, values in (known["headers"] or {}).items()
    }
    return Result(
        datetime.fromisoformat(known["timestamp"]).timestamp(),
        known["latency"] / 1e9,
        known["code"],
        headers.get(version_header.lower(), ("",))[0],
        known["error"],
        b64decode(known["body"] or "").decode(errors="replace"),
    )


class Load:
    """Send ``rate`` GET requests per second to ``url`` until the block ends.

    ``headers`` are request headers; ``Host`` selects the route. A request fails after ``timeout``
    seconds. ``version_header`` is the response header of :attr:`Result.version`. The load ends
    after ``max_seconds`` even if this process is killed. ``options`` are further ones of ``vegeta
    attack``. :attr:`results` grows while the block runs
    and has all of them after it. vegeta is built if it is not in
    ``PATH``. Raises :class:`LocalError` if that fails.
    """

    def __init__(
        self,
        url: str,
        rate: int,
        headers: Mapping[str, str] | None = None,
        *,
        version_header: str = VERSION_HEADER,
        timeout: float = 10,
        max_seconds: float = 3600,
        options: Sequence[str] = (),
    ) -> None:
        self.results: list[Result] = []
        self.url = url
        self.rate = rate
        self.version_header = version_header
        self._timeout = timeout
        self._options = (
            f"-rate={rate}/s",
            f"-duration={max_seconds:g}s",
            f"-timeout={timeout:g}s",
            f"-max-body={BODY_BYTES}",
            "-redirects=-1",
            *(f"-header={name}: {value}" for name, value in (headers or {}).items()),
            *options,
        )

    def __enter__(self) -> Self:
        vegeta = _vegeta()
        # Ctrl-C ends the block, and not the load before it.
        self._attack = subprocess.Popen(
            [vegeta, "attack", *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._encode = subprocess.Popen(
            [vegeta, "encode", "--to=json"],
            stdin=self._attack.stdout,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._attack.stdin and self._attack.stdout and self._encode.stdout  # noqa: S101
        self._attack.stdout.close()
        self._reader = threading.Thread(target=self._read, args=(self._encode.stdout,), daemon=True)
        self._reader.start()
        self._attack.stdin.write(f"GET {self.url}\n".encode())
        self._attack.stdin.close()
        return self

    def __exit__(self, *_: object) -> None:
        # vegeta waits for the responses to requests that it has sent.
        self._attack.send_signal(signal.SIGINT)
        try:
            self._encode.wait(self._timeout + STOP_SECONDS)
        finally:
            self._attack.kill()
            self._encode.kill()
            self._attack.wait()
            self._reader.join()

    def _read(self, lines: IO[bytes]) -> None:
        for line in lines:
            self.results.append(_result(line, self.version_header))

    def check(self) -> None:
        """Raise :class:`CommandError` if the load has ended while the block runs."""
        for process in (self._attack, self._encode):
            if process.poll() is not None:
                raise CommandError(f"vegeta ended with exit code {process.returncode}", FAILED)

    def between(self, begin: float, end: float) -> Sequence[Result]:
        """Results whose responses ended from ``begin`` to before ``end``, in Unix time."""
        return [result for result in [*self.results] if begin <= result.received < end]

    @property
    def failures(self) -> Sequence[Result]:
        """Requests without a response, or with a status outside of 200-399."""
        return [result for result in self.results if result.error]

    @property
    def statuses(self) -> Counter[int]:
        """Number of requests by status; 0: no response."""
        return Counter(result.status for result in self.results)

    @property
    def versions(self) -> Counter[str]:
        """Number of responses without a failure by version; empty: without the header."""
        return Counter(result.version for result in self.results if not result.error)

    def last_response(self, version: str) -> float:
        """Unix time of the last response of a version. Raises :class:`ValueError` without one."""
        return max(result.received for result in self.results if result.version == version)


def _vegeta() -> str:
    if found := shutil.which("vegeta"):
        return found
    paths = Layout()
    with Display(Console(stderr=True)) as display:
        Node(paths, detect(paths)).build(["vegeta"], display)
    return os.fspath(paths.bin / "vegeta")
