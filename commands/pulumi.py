"""The Pulumi CLI, run for one stack."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.errors import FAILED, CommandError
from commands.stack_file import PROJECT, forget_salt
from commands.turn import OTHER_RUN_SECONDS

_SALT_OF_THE_STATE = {"PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true"}
"""A stack file without a salt uses the state's: what one machine encrypts, another one reads."""
_FILE_BACKEND = "file://"
_NAMESPACE = "kubernetes:core/v1:Namespace"


@dataclass(frozen=True)
class Lock:
    """Who holds a stack, as the file backend's lock says it."""

    pid: int
    host: str

    @property
    def is_stale(self) -> bool:
        """Whether the process that took the lock on this machine is gone."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # it runs, as somebody else
        return False


class Stack:
    """One stack of the project.

    ``environment`` says where the CLI, its backend and its passphrase are.
    """

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.environment = {**environment, **_SALT_OF_THE_STATE}
        self._found: dict[str, Any] = {}

    def select(self, *, mend: bool = True) -> None:
        """Make the stack if it is new; ``mend`` it for an update if an earlier one was cut off."""
        self._run("stack", "select", "--create", self.name, capture=True)
        if mend:
            self._end_interrupted_update()

    def namespaces(self) -> dict[str, str]:
        """The identity of each of the stack's namespaces, as the state had it at :meth:`select`."""
        made = (one for one in self._found.get("resources", ()) if one["type"] == _NAMESPACE)
        known = {one["id"]: one.get("outputs", {}).get("metadata", {}).get("uid") for one in made}
        return {name: uid for name, uid in known.items() if uid}

    def up(self, *arguments: str) -> None:
        """``pulumi up``."""
        self._work("up", *arguments)

    def preview(self, *arguments: str) -> None:
        """``pulumi preview``."""
        self._work("preview", *arguments)

    def destroy(self, *arguments: str) -> None:
        """``pulumi destroy``."""
        self._work("destroy", *arguments)

    def outputs(self) -> dict[str, Any]:
        """What the last update left: empty when there was none."""
        text = self._run("stack", "output", "--json", "--stack", self.name, capture=True)
        return json.loads(text or "{}")

    def releases(self) -> Iterator[dict[str, Any]]:
        """The ``slipway:release`` of each update that succeeded, newest first."""
        history = json.loads(
            self._run("stack", "history", "--json", "--stack", self.name, capture=True) or "[]"
        )
        for update in history:
            if update.get("kind") == "update" and update.get("result") == "succeeded":
                value = update.get("config", {}).get("slipway:release", {}).get("value")
                if value:
                    yield json.loads(value)

    def _work(self, command: str, *arguments: str) -> None:
        try:
            self._run(command, "--stack", self.name, *arguments)
        finally:
            forget_salt(self.name)

    def _end_interrupted_update(self) -> None:
        """Clear what an update leaves that was killed: its lock, and creations without an end.

        Creating again is safe: every object has a fixed name and server-side apply adopts it.
        """
        if self._wait_for_other_update():
            self._run("cancel", "--yes", "--stack", self.name, capture=True)
        state = json.loads(self._run("stack", "export", "--stack", self.name, capture=True))
        self._found = state.get("deployment") or {}
        if self._found.get("pending_operations"):
            self._run(
                "refresh",
                *("--yes", "--skip-preview", "--clear-pending-creates"),
                *("--stack", self.name),
            )

    def _wait_for_other_update(self) -> bool:
        """Wait until no running process holds the stack; return whether a stale lock is left."""
        deadline = time.monotonic() + OTHER_RUN_SECONDS
        told = False
        while locks := list(self._locks()):
            held = [lock for lock in locks if not lock.is_stale]
            if not held:
                return True
            if time.monotonic() > deadline:
                raise CommandError(
                    f"another update of {self.name} (pid {held[0].pid} on {held[0].host}) did not "
                    f"end within {OTHER_RUN_SECONDS} s; end it (or `pulumi cancel` it, if that "
                    "process is something else by now), then run this again",
                    FAILED,
                )
            if not told:
                print(f"waiting for another update of {self.name} (pid {held[0].pid}) to end")
                told = True
            time.sleep(0.5)
        return False

    def _locks(self) -> Iterator[Lock]:
        backend = self.environment.get("PULUMI_BACKEND_URL", "")
        if not backend.startswith(_FILE_BACKEND):
            return
        # As Pulumi reads it: `~` is a home folder, and relative is to where it runs.
        given = backend.removeprefix(_FILE_BACKEND).partition("?")[0]
        folder = PROJECT / Path(given).expanduser() / ".pulumi" / "locks"
        for file in folder.glob(f"organization/*/{self.name}/*.json"):
            try:
                content = json.loads(file.read_text())
            except (FileNotFoundError, json.JSONDecodeError):
                continue
            yield Lock(content["pid"], content["hostname"])

    def _run(self, *arguments: str, capture: bool = False) -> str:
        command = [*_tie_to_this_process(), "pulumi", *arguments]
        if capture:
            command.append("--non-interactive")
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE if capture else None,
            stderr=subprocess.PIPE if capture else None,
        )
        with _signals_go_to(process):
            out, err = process.communicate()
        if process.returncode != 0:
            detail = f":\n{err.strip()}" if capture and err else ""
            raise CommandError(f"pulumi {arguments[0]} of {self.name} failed{detail}", FAILED)
        return out or ""


def _tie_to_this_process() -> Sequence[str]:
    """Let Pulumi end in good order when this process is killed and cannot tell it."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT", "--"] if setpriv else []


class _signals_go_to:  # noqa: N801
    """While Pulumi runs, Ctrl-C and termination are Pulumi's to handle: it saves what is done."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __enter__(self) -> None:
        # A terminal sends Ctrl-C to Pulumi too; a second copy would make it give up at once.
        self._interrupt = signal.signal(signal.SIGINT, lambda *_: None)
        self._terminate = signal.signal(
            signal.SIGTERM, lambda *_: self._process.send_signal(signal.SIGINT)
        )

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._interrupt)
        signal.signal(signal.SIGTERM, self._terminate)
