"""A port of this machine that leads to a server in the cluster."""

import re
import shlex
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from threading import Event, Thread

from commands.errors import FAILED, CommandError
from components.observability.addresses import Address

START_SECONDS = 30
"""How long kubectl may take until the port is open."""
_POD_SECONDS = 5
"""How long it looks for a pod, where the Service has none."""
_END_SECONDS = 5
_KEPT_LINES = 20
_OPEN = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")
_NO_SERVICE = re.compile(r'services "[^"]*" not found')
_NO_POD = "timed out waiting for the condition"
_DOWN = (_NO_POD, "pod is not running", "unable to upgrade connection")
_NO_CLUSTER = ("connection to the server", "Unable to connect to the server")


class ServerDownError(CommandError):
    """No pod of a server answers. It may be back soon.

    ``kubectl`` is the command with the context and the namespace of the pods.
    """

    def __init__(self, server: Address, kubectl: Sequence[str], reason: str) -> None:
        pods = shlex.join([*kubectl, "get", "pods"])
        super().__init__(f"{server.server} is down ({reason}): see `{pods}`")


class PortForward:
    """``kubectl port-forward`` of a Service's port, from now until :meth:`end`.

    It ends by itself with the pod that it found, and arrives on that pod's loopback: unlike the API
    server's proxy, whose connections come from a node, no NetworkPolicy has to let it in.

    ``kubectl`` is the command with its context and namespace. ``port`` is one of 127.0.0.1; 0 is
    any that is free. Raises :class:`CommandError` where there is no kubectl.
    """

    def __init__(
        self,
        server: Address,
        kubectl: Sequence[str],
        environment: Mapping[str, str],
        port: int = 0,
    ) -> None:
        self.wanted = port
        self._server = server
        self._kubectl = kubectl
        self._port = 0
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._is_decided = Event()
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
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        except FileNotFoundError:
            raise CommandError("there is no kubectl: run `make local-up`") from None
        # It prints a line for each connection, and would stop if nobody read them.
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def port(self) -> int:
        """The port, once it is open.

        Raises :class:`ServerDownError` where no pod runs, and :class:`CommandError` where there is
        no such Service, or no way to it.
        """
        if not self._is_decided.wait(START_SECONDS):
            self.end()
            raise CommandError(
                f"cannot reach {self._server.server}: kubectl has no answer from the cluster after "
                f"{START_SECONDS} s",
                FAILED,
            )
        if not self._port:
            raise self._failure()
        return self._port

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, as far as this machine knows."""
        return self._process.poll() is None

    @property
    def said(self) -> str:
        """The last line that kubectl has printed."""
        return self._said[-1] if self._said else ""

    def wait(self) -> None:
        """Return when it has ended."""
        self._process.wait()
        self._reader.join(_END_SECONDS)

    def end(self) -> None:
        """Close the port."""
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_END_SECONDS)

    def _read(self) -> None:
        assert self._process.stdout  # noqa: S101  # for the type checker: a pipe
        with self._process.stdout as output:
            for line in output:
                self._said.append(line.strip())
                if found := _OPEN.match(line):
                    self._port = int(found[1])
                    self._is_decided.set()
        self._is_decided.set()

    def _failure(self) -> CommandError:
        name, said = self._server.server, "\n".join(self._said).removeprefix("error: ")
        if _NO_SERVICE.search(said):
            return CommandError(f"there is no {name} ({said}): run `make up`")
        if any(part in said for part in _DOWN):
            reason = "it has no pod" if _NO_POD in said else said
            return ServerDownError(self._server, self._kubectl, reason)
        if any(part in said for part in _NO_CLUSTER):
            return CommandError(f"the cluster does not answer ({said}): see `make local-status`")
        if self.wanted and "unable to listen" in said:
            return CommandError(
                f"cannot forward port {self.wanted}, PORT= takes another one: {said}"
            )
        return CommandError(f"cannot reach {name}: {said}")
