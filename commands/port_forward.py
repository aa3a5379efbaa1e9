"""``kubectl port-forward`` to a server in the cluster."""

import re
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from commands.errors import FAILED, CommandError
from components.observability.addresses import Address

START_SECONDS = 30
"""Time for kubectl to open the port."""
_POD_SECONDS = 5
"""Time for kubectl to find a running pod of the Service."""
_END_SECONDS = 5
_POLL_SECONDS = 0.05
_OPEN = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")
_NO_SERVICE = re.compile(r'services "[^"]*" not found')
_NO_POD = "timed out waiting for the condition"
_DOWN = (_NO_POD, "pod is not running", "unable to upgrade connection")
_NO_CLUSTER = ("connection to the server", "Unable to connect to the server")


class ServerDownError(CommandError):
    """A server has no running pod, or its pod does not respond. It may be back soon.

    ``kubectl`` is the command with the context and the namespace of the pods.
    """

    def __init__(self, server: Address, kubectl: Sequence[str], reason: str) -> None:
        pods = shlex.join([*kubectl, "get", "pods"])
        super().__init__(f"{server.server} is down ({reason}): see `{pods}`")


class PortForward:
    """``kubectl port-forward`` of a Service's port, until :meth:`end`.

    It ends by itself with the pod that it selected. It connects to that pod's loopback interface,
    so no NetworkPolicy has to allow it; connections of the API server's proxy come from a node.

    ``kubectl`` is the command with its context and namespace. ``port`` is a port of 127.0.0.1, or 0
    for any free one. Raises :class:`CommandError` if kubectl is missing.
    """

    def __init__(
        self,
        server: Address,
        kubectl: Sequence[str],
        environment: Mapping[str, str],
        port: int = 0,
    ) -> None:
        self.requested_port = port
        self._server = server
        self._kubectl = kubectl
        self._port = 0
        # Not a pipe: kubectl prints a line for each connection, and a full pipe would block it.
        self._output = NamedTemporaryFile()  # noqa: SIM115  # open as long as kubectl runs
        try:
            self._process = subprocess.Popen(
                [
                    *kubectl,
                    *("port-forward", "--address", "127.0.0.1"),
                    f"--pod-running-timeout={_POD_SECONDS}s",
                    *(f"service/{server.server}", f"{port or ''}:{server.port}"),
                ],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
            )
        except FileNotFoundError:
            raise CommandError(
                "kubectl is not in PATH: install it, or run `make local-up`"
            ) from None

    @property
    def port(self) -> int:
        """The local port, once it is open.

        Raises :class:`ServerDownError` if no pod runs, and :class:`CommandError` if there is no
        such Service, or the cluster cannot be reached.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self._port:
            has_ended = not self.is_running
            if found := _OPEN.search(self._read_output()):
                self._port = int(found[1])
            elif has_ended:
                raise self._failure()
            elif time.monotonic() > deadline:
                self.end()
                raise CommandError(
                    f"cannot reach {self._server.server}: the cluster did not respond to kubectl "
                    f"within {START_SECONDS} s",
                    FAILED,
                )
            else:
                time.sleep(_POLL_SECONDS)
        return self._port

    @property
    def is_running(self) -> bool:
        """True until kubectl has ended."""
        return self._process.poll() is None

    @property
    def last_line(self) -> str:
        """The last line of kubectl's output."""
        return (self._read_output().splitlines() or [""])[-1]

    def wait(self) -> None:
        """Wait for the end of kubectl."""
        self._process.wait()

    def end(self) -> None:
        """Close the port."""
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read_output(self) -> str:
        return Path(self._output.name).read_text(errors="replace")

    def _failure(self) -> CommandError:
        name, output = self._server.server, self._read_output().strip().removeprefix("error: ")
        if _NO_SERVICE.search(output):
            return CommandError(f"there is no {name} ({output}): run `make up`")
        if any(part in output for part in _DOWN):
            reason = "it has no pod" if _NO_POD in output else output
            return ServerDownError(self._server, self._kubectl, reason)
        if any(part in output for part in _NO_CLUSTER):
            return CommandError(f"the cluster does not respond ({output}): see `make local-status`")
        if self.requested_port and "unable to listen" in output:
            return CommandError(
                f"cannot forward port {self.requested_port}, use another PORT: {output}"
            )
        return CommandError(f"cannot reach {name}: {output}")
