"""Pulumi's state in a folder: the locks of a stack, and files that a killed process left behind."""

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from commands.errors import FAILED, CommandError
from local import files
from settings.project import project_name

_SCHEME = "file://"
_COMPRESSED = (".gz", ".zst")
_STATE_VERSION = 3
_UNREADABLE_LOCK_SECONDS = 5
"""Age at which a lock that is not JSON is stale. Pulumi writes one within milliseconds."""


def without_sidecars(url: str) -> str:
    """The URL of a backend, without sidecar files if the backend is a folder.

    Beside each file Pulumi writes another one, `.attrs`, with the content type. That write is not
    atomic, and Pulumi reads no file whose `.attrs` is empty.
    """
    path, _, query = url.partition("?")
    if not url.startswith(_SCHEME) or ("metadata", "skip") in parse_qsl(query):
        return url
    return f"{path}?{urlencode([*parse_qsl(query), ('metadata', 'skip')])}"


@dataclass(frozen=True)
class Lock:
    """A lock of a stack: the process that updates it."""

    file: Path
    pid: int
    host: str

    @property
    def is_stale(self) -> bool:
        """True if the lock was taken on this machine by a process that has ended."""
        if not self.host:
            return _age_seconds(self.file) > _UNREADABLE_LOCK_SECONDS
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # the process of another user
        return False

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}" if self.host else str(self.file)


@dataclass(frozen=True)
class FileBackend:
    """The files of one stack in a backend that is a folder."""

    folder: Path
    """Folder `.pulumi`."""
    project: str
    """Name of the Pulumi project."""
    stack: str

    @classmethod
    def of(cls, url: str, project_folder: Path, stack: str) -> "FileBackend | None":
        """The backend with this URL, for a stack of a project; None if it is not a folder."""
        if not url.startswith(_SCHEME):
            return None
        # Pulumi expands `~`, and a relative path starts at its working directory.
        path = Path(url.removeprefix(_SCHEME).partition("?")[0]).expanduser()
        return cls(project_folder / path / ".pulumi", project_name(), stack)

    @property
    def checkpoint(self) -> Path:
        """File with the state of the stack."""
        return self.folder / "stacks" / self.project / f"{self.stack}.json"

    def state(self) -> dict[str, Any] | None:
        """The deployment that ``pulumi stack export`` prints, without a start of the CLI.

        None if there is no state, or only the CLI can read it: compressed, in another version of
        the format, or incomplete.
        """
        if any(Path(f"{self.checkpoint}{suffix}").exists() for suffix in _COMPRESSED):
            return None
        try:
            content = json.loads(self.checkpoint.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        if content.get("version") != _STATE_VERSION:
            return None
        return content["checkpoint"].get("latest") or {}

    def updates(self, count: int) -> list[dict[str, Any]] | None:
        """The newest updates that ``pulumi stack history --json --show-secrets`` prints.

        None if only the CLI can read them: with a secret, compressed, or incomplete.
        """
        newest = self._newest_updates(count)
        return None if newest is None else [_as_printed(one) for one in newest]

    def configuration(self) -> Mapping[str, Any] | None:
        """The configuration of the newest update, as ``pulumi config refresh`` writes it.

        None before the first update, and as :meth:`updates`.
        """
        newest = self._newest_updates(1)
        return newest[0].get("config", {}) if newest else None

    def _newest_updates(self, count: int) -> list[dict[str, Any]] | None:
        history = self._of_stack("history")
        if any(file.suffix in _COMPRESSED for file in history.glob("*.history.json.*")):
            return None
        newest = sorted(history.glob("*.history.json"), reverse=True)[:count]
        contents = [file.read_bytes() for file in newest]
        if any(b'"secure":' in content for content in contents):
            return None
        try:
            return [json.loads(content) for content in contents]
        except ValueError:
            return None

    def locks(self) -> Iterator[Lock]:
        """Yield the locks of the stack, with those that are not written completely."""
        for file in self._of_stack("locks/organization").glob("*"):
            if file.suffix == ".attrs":
                continue
            try:
                content = json.loads(file.read_bytes())
                yield Lock(file, content["pid"], content["hostname"])
            except FileNotFoundError:
                continue
            except (ValueError, TypeError, KeyError):
                yield Lock(file, 0, "")

    def remove(self, locks: Sequence[Lock]) -> None:
        """Remove stale locks. `pulumi cancel` would remove a new one too."""
        for lock in locks:
            lock.file.unlink(missing_ok=True)

    def remove_broken_sidecars(self) -> None:
        """Remove the `.attrs` files that a killed process has not written completely.

        Pulumi works without them. One of another stack breaks ``pulumi stack ls``.
        """
        sidecars = [
            self.folder / "meta.yaml.attrs",
            *(self.folder / "stacks").rglob("*.attrs"),
            *self._of_stack("history").glob("*.attrs"),
            *self._of_stack("locks/organization").glob("*.attrs"),
        ]
        for file in sidecars:
            if not _is_complete(file):
                file.unlink(missing_ok=True)

    def unreadable_files(self) -> list[Path]:
        """Incomplete files of the state and the history, for example after a power failure."""
        found = [self.checkpoint, *sorted(self._of_stack("history").glob("*.history.json"))]
        return [file for file in found if file.exists() and not _is_complete(file)]

    def repair(self) -> bool:
        """Replace an unreadable state by its newest backup, and set unreadable history aside.

        Call it while no process holds a lock. Returns True if the state is that of a backup, and
        may be older than the cluster. Raises :class:`CommandError` without a readable backup.
        """
        unreadable = self.unreadable_files()
        for file in unreadable:
            if file != self.checkpoint:
                aside = file.rename(f"{file}.unreadable")
                print(f"{file} is incomplete: it is renamed to {aside.name}")
        if self.checkpoint not in unreadable:
            return False
        previous = Path(f"{self.checkpoint}.bak")
        older = sorted(self._of_stack("backups").glob("*.json"), reverse=True)
        for backup in (previous, *older):
            if _is_complete(backup):
                files.write(self.checkpoint, backup.read_bytes())
                print(f"{self.checkpoint} is incomplete: it is restored from {backup}")
                return True
        raise CommandError(
            f"the state of {self.stack}, {self.checkpoint}, is incomplete, and so are its backups "
            f"{previous} and {self._of_stack('backups')}: restore it from a copy, or remove it to "
            "begin without a state",
            FAILED,
        )

    def _of_stack(self, kind: str) -> Path:
        return self.folder / kind / self.project / self.stack


def _as_printed(update: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the history as the CLI prints it: texts of values, and times in RFC 3339."""
    config = {
        key: {"value": value if isinstance(value, str) else json.dumps(value)}
        for key, value in update.get("config", {}).items()
    }
    times = {
        key: datetime.fromtimestamp(update[key], UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        for key in ("startTime", "endTime")
        if key in update
    }
    return {**update, **times, "config": config}


def _is_complete(file: Path) -> bool:
    """True if a file with a JSON object has its last byte."""
    try:
        with file.open("rb") as content:
            content.seek(max(0, file.stat().st_size - 2))
            return content.read().rstrip().endswith(b"}")
    except FileNotFoundError:
        return False


def _age_seconds(file: Path) -> float:
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return 0
