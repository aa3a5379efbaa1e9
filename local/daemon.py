"""What a supervised process is."""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from local.errors import LocalError

_PROBE_TIMEOUT = 2.0
"""Seconds after which a part that does not answer its health check counts as not healthy."""


@dataclass(frozen=True)
class Service:
    """One supervised process.

    `health` is an http(s) URL that answers 200 when the part works, or the path of a Unix socket
    that accepts a connection. `files` are written for it; they, and `certificates` that others
    write, are what it reads at start: a change restarts it.
    """

    name: str
    command: Sequence[str]
    health: str
    files: dict[Path, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    certificates: Sequence[Path] = ()
    stop_signal: str = "TERM"
    bound_to_supervisor: bool = True
    """Dies with the supervisor, so that a new supervisor never meets an old copy."""

    def refuse_taken_port(self) -> None:
        """Says so if another program listens where this one, which does not run yet, has to."""
        parts = urlsplit(self.health)
        if parts.hostname and parts.port:
            refuse_taken_port(parts.hostname, parts.port, self.name)

    def healthy(self) -> bool:
        """One probe, which answers within `_PROBE_TIMEOUT`."""
        try:
            if self.health.startswith("/"):
                return _connects(self.health)
            return _answers(self.health)
        except (OSError, HTTPException):
            return False


def refuse_taken_port(address: str, port: int, name: str) -> None:
    """An error that names the port and whom it is for, if it cannot be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise LocalError(
                f"{name} needs port {port} on {address}, and another program has it "
                f"({error.strerror}); `ss -ltnp 'sport = :{port}'` says which."
            ) from error


def _connects(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PROBE_TIMEOUT)
        connection.connect(path)
    return True


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        # Health endpoints tell nothing but "ok"; whose certificate it is does not matter here.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = HTTPSConnection(host, port, timeout=_PROBE_TIMEOUT, context=context)
    else:
        connection = HTTPConnection(host, port, timeout=_PROBE_TIMEOUT)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == 200  # noqa: PLR2004
    finally:
        connection.close()
