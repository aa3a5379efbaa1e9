"""Copy of a stack for a drill, with namespaces and hosts of its own."""

import copy
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.drill.command import Command
from commands.errors import FAILED, CommandError
from commands.new_env import derive
from commands.stack_file import check_text, text_with
from local import files
from settings import (
    TRACK_KEYS,
    BlueGreen,
    Color,
    Service,
    Settings,
    Strategy,
    load,
    stable_settings,
)
from settings.stack_config import read
from settings.stack_file import PROJECT_FOLDER, path_of

SUFFIX = "-drill"
_END_SECONDS = 600
"""Deadline of the deletion."""
_POLL_SECONDS = 1.0
_LINES = 20
"""Of the log, in the message about a failed command."""
Sections = dict[str, Any]


def drill_sections(source: str, sections: Mapping[str, Any], service: Service) -> Sections:
    """Sections of the copy of the stack ``source``, whose alerts and releases notify nobody.

    The service has the settings of its stable version, and no other version. The requests of a
    drill have no TLS. External Secrets of the copy serves no other stack.
    """
    cluster = {"cluster": sections["cluster"]} if "cluster" in sections else {}
    renamed = derive(f"{source}{SUFFIX}", source, _without(sections, "cluster")).sections
    copied = merge(_without(sections, "cluster"), renamed) | cluster
    copied.pop("notifications", None)
    observability = _without(copied.get("observability") or {}, "alerts")
    if "grafana" in observability:
        observability["grafana"] = {"enabled": False}
    copied["observability"] = observability
    own = copied["services"][service.name]
    if service.release.stable.settings is not None:
        for key in TRACK_KEYS:
            own.pop(key, None)
        own |= stable_settings(sections, service.name)
    for section in (copied.get("defaults") or {}, *copied["services"].values()):
        (section.get("routing") or {}).pop("tls", None)
    (copied.get("externalSecrets") or {}).pop("scope", None)
    own["image"] = {**(own.get("image") or {}), "repository": service.repository}
    release = own.get("release") or {}
    own["release"] = _without(release, "canary", "idle") | {
        "stable": _without(release.get("stable") or {}, "settings")
    }
    deadline = {"progressDeadlineSeconds": service.drill.progress_deadline_seconds}
    copied["services"][service.name] = merge(own, {"workload": {"rollout": deadline}})
    return copied


def _without(values: Mapping[str, Any], *keys: str) -> Sections:
    return {key: copy.deepcopy(value) for key, value in values.items() if key not in keys}


def merge(values: Any, changes: Any) -> Any:  # noqa: ANN401
    """``changes`` over ``values``: mappings merge, other values replace."""
    if not (isinstance(values, dict) and isinstance(changes, dict)):
        return copy.deepcopy(changes)
    merged = dict(values)
    for key, value in changes.items():
        merged[key] = merge(values.get(key), value)
    return merged


@dataclass(frozen=True)
class TemporaryStack:
    """The copy of a stack, from its first update to its deletion. ``log`` is a file for the output
    of its commands."""

    source: str
    service: Service
    strategy: Strategy
    environment: Mapping[str, str]
    log: Path

    @property
    def name(self) -> str:
        """Name of the stack."""
        return f"{self.source}{SUFFIX}"

    @property
    def file(self) -> Path:
        """Stack file."""
        return path_of(self.name)

    @property
    def settings(self) -> Settings:
        """Settings in the stack file."""
        return load(self.name)

    def check(self, release: Mapping[str, Any], fault: Mapping[str, Any] | None = None) -> None:
        """Raise :class:`SettingsError` if :meth:`write` would write invalid settings."""
        check_text(self.file.name, self._text(release, fault))

    def write(self, release: Mapping[str, Any], fault: Mapping[str, Any] | None = None) -> None:
        """Write the stack file: the service with this ``release``, and the keys of a fault.

        With a fault, stable keeps the settings that it has without.
        """
        files.write(self.file, self._text(release, fault))

    def start(self, *arguments: str) -> Command:
        """Start a command on the stack."""
        name, *options = arguments
        return Command((name, f"--stack={self.name}", *options), self.environment, self.log)

    def run(
        self, *arguments: str, seconds: float, check: Callable[[], None] = lambda: None
    ) -> None:
        """Run a command on the stack, and call ``check`` until it ends.

        Raises :class:`CommandError` if it fails, or has not ended after ``seconds``.
        """
        command, deadline = self.start(*arguments), time.monotonic() + seconds
        try:
            while (code := command.exit_code) is None and time.monotonic() < deadline:
                check()
                time.sleep(_POLL_SECONDS)
        finally:
            command.end()
        if code != 0:
            problem = f"did not end within {seconds:g} s" if code is None else "failed"
            raise CommandError(f"{command.name} of {self.name} {problem}:\n{self.tail()}", FAILED)

    def tail(self, lines: int = _LINES) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def error(self) -> str:
        """The last line of the log that is an error, or else the last line."""
        lines = self.log.read_text(errors="replace").splitlines() or [""]
        errors = [line for line in lines[-_LINES:] if line.startswith("error: ")]
        return (errors or lines)[-1].removeprefix("error: ")

    def live_color(self) -> Color:
        """Color that serves, with the strategy `blueGreen`."""
        if not self.file.exists():
            return BlueGreen().live
        return self.settings.services[self.service.name].release.blue_green.live

    def delete(self) -> None:
        """Delete the stack and its file. Raises :class:`CommandError`."""
        if not self.file.exists():
            return
        self.run("down", "--yes", seconds=_END_SECONDS)
        remove = ("pulumi", "stack", "rm", "--yes", "--force", "--stack", self.name)
        done = subprocess.run(
            remove, cwd=PROJECT_FOLDER, env=dict(self.environment), capture_output=True, check=False
        )
        if done.returncode != 0:
            raise CommandError(f"{' '.join(remove)} failed: {done.stderr.decode()}", FAILED)
        self.file.unlink(missing_ok=True)

    @property
    def how_to_delete(self) -> str:
        """The command that deletes what an ended drill has left."""
        return f"make down STACK={self.name} && pulumi stack rm --yes {self.name}"

    def good_settings(self) -> Mapping[str, Any]:
        """Settings of the service without a fault, with the defaults."""
        return stable_settings(self._sections(), self.service.name)

    def _sections(self) -> Sections:
        return drill_sections(self.source, read(path_of(self.source)), self.service)

    def _text(self, release: Mapping[str, Any], fault: Mapping[str, Any] | None) -> str:
        sections = self._sections()
        own = merge(sections["services"][self.service.name], fault or {})
        own["release"] = merge(
            _without(own["release"], "stable"), {**release, "strategy": self.strategy}
        )
        sections["services"][self.service.name] = own
        return text_with(path_of(self.source), sections)
