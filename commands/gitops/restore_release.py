"""``make restore-release``: restores a stack file to the versions of Flagger's primaries.

For stacks that Argo CD or Flux sync: Flagger rolls a release back in the cluster, but Git still has
the bad version. Reads the Canaries, and the commits of the stack file. Prints what it changes, and
writes it to ``OUT`` as well. Without a release that was rolled back, nothing is written.
"""

import argparse
import fnmatch
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from commands.diff.checkout import git
from commands.errors import CommandError, report_errors
from commands.flagger_canary import Canaries, CanaryState
from commands.out_option import out_file
from commands.prerequisites import Prerequisites
from commands.progressive_releases import progressive
from commands.service_option import selected_services
from commands.stack_file import ReleaseFile
from local import files
from settings import PROJECT, Service, SettingsError, load, stable_settings
from settings.stack_config import read
from settings.stack_file import path_of

_STACK_FILES = "Pulumi.*.yaml"


@dataclass(frozen=True)
class _Stable:
    """Digest and settings of the stable version of a service."""

    digest: str | None
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, sections: Mapping[str, Any], service: str) -> "_Stable":
        """The stable version in a stack file. Raises ``LookupError`` without the service."""
        stable = sections["services"][service].get("release", {}).get("stable", {})
        return cls(stable.get("digest"), stable_settings(sections, service))


@dataclass(frozen=True)
class _Rollback:
    """A release that Flagger has rolled back, and what the primary runs."""

    service: Service
    reason: str
    version: str
    digest: str
    settings: Mapping[str, Any] | None
    """``None``: no commit has the digest of the primary."""

    def restore(self, stack: str, file: str) -> str:
        """Write the stack file; return a message."""
        release = ReleaseFile(stack, self.service.name)
        changed = [] if self.settings is None else release.restore_settings(self.settings)
        before_start = self.service.release.before_start is None
        release.pin_stable(self.version, self.digest, before_start=before_start).set_paused(False)
        release.check()
        release.save()
        place, rejected = f"{file}: {self.service.name}", self.service.release.stable.version
        lines = [f"{place}: stable {rejected} -> {self.version}. {self.reason}"]
        if changed:
            lines.append(f"{place}: as released: {', '.join(changed)}")
        elif self.settings is None:
            lines.append(
                f"{place}: no commit has the settings of {self.version}: those of {rejected} stay"
            )
        return "\n".join(lines)


def restore(stack: str, service: str = "") -> Sequence[str]:
    """Restore the stack file for each service whose release Flagger has rolled back.

    Return a message for each of them. Raises :class:`CommandError` and writes nothing if Pulumi
    owns the stack, the cluster or the commits cannot be read, or a service has no primary.
    """
    settings = load(stack)
    path = path_of(stack)
    if not settings.delivery.is_gitops:
        raise CommandError(
            f'{path.name}: {PROJECT}:delivery.mode is "pulumi": `make up` restores the file at the '
            "end of a release, and `make rollback` if it was interrupted"
        )
    services = progressive(selected_services(settings, service))
    environment = {**os.environ, **Prerequisites(settings).variables()}
    states = Canaries(settings, environment).read(one.name for one in services)
    rollbacks = [
        found
        for one in services
        if one.name in states and (found := _rollback(path, one, states[one.name]))
    ]
    original = path.read_text()
    try:
        return [one.restore(stack, path.name) for one in rollbacks]
    except (CommandError, SettingsError):
        files.write(path, original)
        raise


def _rollback(path: Path, service: Service, state: CanaryState) -> _Rollback | None:
    """The rollback of a service. ``None``: the stack file does not have the failed release."""
    stable = service.release.stable
    is_synced = (stable.version, stable.digest) == (
        state.version(service.name),
        state.digest(service.name),
    )
    if state.phase != "Failed" or state.is_promoted or not is_synced:
        return None
    served = state.served(service.name)
    if served is None:
        raise CommandError(f"{service.name} has no previous version: release another one")
    failed = datetime.fromisoformat(state.phase_since)
    current = _Stable.of(read(path), service.name)
    is_newest = True
    for committed, sections in _commits(path):
        with suppress(LookupError, AttributeError, TypeError):  # it was not valid
            one = _Stable.of(sections, service.name)
            if one == current and committed > failed:
                return None  # not what has failed: it is not synced yet
            if is_newest and one != current:
                raise CommandError(
                    f"{path.name}: {service.name} has changes that are not committed: commit or "
                    "revert them first"
                )
            is_newest = False
            if one.digest == served[1] and one != current:
                return _Rollback(service, state.message, *served, one.settings)
    return _Rollback(service, state.message, *served, None)


def _commits(path: Path) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
    """Time, and sections of a stack, of each commit that changed a stack file, newest first.

    Raises :class:`CommandError` outside of a repository.
    """
    folder = path.resolve().parent
    log = git(folder, "log", "--first-parent", "--format=%H %ct", "--", _STACK_FILES)
    if log.returncode != 0:
        raise CommandError(f"the commits of {path.name} cannot be read: {log.stderr.strip()}")
    for line in log.stdout.splitlines():
        commit, seconds = line.split()
        names = git(folder, "ls-tree", "--name-only", commit, "--", ".").stdout.splitlines()
        with TemporaryDirectory(prefix="slipway-") as temporary:
            for name in fnmatch.filter(names, _STACK_FILES):
                text = git(folder, "show", f"{commit}:./{name}").stdout
                (Path(temporary) / name).write_text(text)
            with suppress(SettingsError):  # the file was not valid, or not there yet
                sections = read(Path(temporary) / path.name)
                yield datetime.fromtimestamp(int(seconds), UTC), sections


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Restore the stack file and print the changes; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.gitops.restore_release", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--service", default="", help="by default all services")
    parser.add_argument("--out", type=out_file, help="file for the messages")
    options = parser.parse_args(arguments)
    messages = restore(options.stack, options.service)
    print("\n".join(messages) or "Flagger has rolled back no release")
    if messages and options.out:
        files.write(options.out, "\n".join(messages) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
