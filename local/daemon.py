"""A process that supervisord runs, and its health check."""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

from local.errors import LocalError

_PROBE_TIMEOUT = 2.0
"""Seconds."""

_OPENER = build_opener(
    ProxyHandler({}),
    # A health endpoint returns nothing secret, so its certificate need not be verified.
    HTTPSHandler(context=ssl._create_unverified_context()),  # noqa: S323
)


@dataclass(frozen=True)
class Daemon:
    """One process under supervisord.

    `health` is an http(s) URL that returns 200 while the process works, or the path of a Unix
    socket that accepts connections. `files` are its configuration files, written before it starts.
    A change of `files` or of the content of `certificates` restarts it.
    """

    name: str
    command: Sequence[str]
    health: str
    files: dict[Path, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    certificates: Sequence[Path] = ()
    stop_signal: str = "TERM"
    ends_with_supervisor: bool = True
    """Kills the process when supervisord dies, so that a new supervisord can start its own."""

    def refuse_taken_port(self) -> None:
        """Raise `LocalError` if another program listens on the port; call it before the start."""
        parts = urlsplit(self.health)
        if parts.hostname and parts.port:
            refuse_taken_port(parts.hostname, parts.port, self.name)

    def healthy(self) -> bool:
        """Run the health check once; takes at most two seconds."""
        try:
            if self.health.startswith("/"):
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.settimeout(_PROBE_TIMEOUT)
                    connection.connect(self.health)
            else:
                _OPENER.open(self.health, timeout=_PROBE_TIMEOUT).close()
        except (OSError, HTTPException):
            return False
        return True


def refuse_taken_port(address: str, port: int, name: str) -> None:
    """Raise `LocalError` if `name` cannot listen on the port because another program does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise LocalError(
                f"{name} needs port {port} on {address}, but another program uses it "
                f"({error.strerror}). `ss -ltnp 'sport = :{port}'` shows which."
            ) from error
