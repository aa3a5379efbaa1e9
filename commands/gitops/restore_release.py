"""``make restore-release``: takes a stack file back to the versions that serve.

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


def restore(stack: str, service: str = "") -> Sequence[str]:
    """Take the stack file back for each service that Flagger has rolled back.

    Return a message for each of them. Raises :class:`CommandError` and writes nothing if Pulumi
    owns the stack, the cluster cannot be read, or a service has no version that serves.
    """
    settings = load(stack)
    path = path_of(stack)
    if not settings.delivery.is_gitops:
        raise CommandError(
            f'{path.name}: {PROJECT}:delivery.mode is "pulumi": `make up` takes the file back at '
            "the end of a release, and `make rollback` if it was interrupted"
        )
    services = progressive(selected_services(settings, service))
    environment = {**os.environ, **Prerequisites(settings).variables()}
    states = Canaries(settings, environment).read(one.name for one in services)
    messages: list[str] = []
    for one in services:
        state = states.get(one.name)
        if state and _is_rolled_back(one, state):
            messages.append(_restore(stack, path, one, state))
    return messages


def _is_rolled_back(service: Service, state: CanaryState) -> bool:
    """True if the version of the stack file is the one that Flagger has rolled back."""
    stable = service.release.stable
    is_synced = (stable.version, stable.digest) == (
        state.version(service.name),
        state.digest(service.name),
    )
    return is_synced and state.phase == "Failed" and not state.is_promoted


def _restore(stack: str, path: Path, service: Service, state: CanaryState) -> str:
    served = state.served(service.name)
    if served is None:
        raise CommandError(f"{service.name} has no previous version: release another one")
    version, digest = served
    file = ReleaseFile(stack, service.name)
    settings = _released_settings(path, service.name, digest)
    changed = file.restore_settings(settings) if settings else ()
    file.pin_stable(version, digest, before_start=service.release.before_start is None)
    file.set_paused(False).check()
    file.save()
    rejected = service.release.stable.version
    lines = [f"{path.name}: {service.name}: stable {rejected} -> {version}. {state.message}"]
    if changed:
        lines.append(f"{path.name}: {service.name}: as released: {', '.join(changed)}")
    elif settings is None:
        lines.append(f"the commits have no settings of {version}: those of {rejected} stay")
    return "\n".join(lines)


def _released_settings(path: Path, service: str, digest: str) -> Mapping[str, Any] | None:
    """Settings that the commits have for the stable version with this digest.

    Those of the newest commit, but not those that were rolled back. ``None``: no commit has it.
    """
    rejected = _stable(read(path), service)
    for sections in _committed(path):
        released = _stable(sections, service)
        if released[0] == digest and released != rejected:
            return released[1]
    return None


def _stable(sections: Mapping[str, Any], service: str) -> tuple[str | None, Mapping[str, Any]]:
    """Digest and settings of the stable version of a service."""
    release = sections.get("services", {}).get(service, {}).get("release", {})
    if not release:
        return None, {}
    return release.get("stable", {}).get("digest"), stable_settings(sections, service)


def _committed(path: Path) -> Iterator[Mapping[str, Any]]:
    """Sections of a stack file in the commits that changed a stack file, newest first."""
    folder = path.resolve().parent
    for commit in git(folder, "log", "--format=%H", "--", _STACK_FILES).stdout.split():
        names = git(folder, "ls-tree", "--name-only", commit, "--", ".").stdout.splitlines()
        with TemporaryDirectory(prefix="slipway-") as temporary:
            for name in fnmatch.filter(names, _STACK_FILES):
                text = git(folder, "show", f"{commit}:./{name}").stdout
                (Path(temporary) / name).write_text(text)
            with suppress(SettingsError):  # the file was not valid, or not there yet
                yield read(Path(temporary) / path.name)


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Take the stack file back and print the changes; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.gitops.restore_release", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--service", default="", help="by default all services")
    parser.add_argument("--out", type=out_file, help="file for the messages")
    options = parser.parse_args(arguments)
    messages = restore(options.stack, options.service)
    print("\n".join(messages) or "Flagger has rolled no release back")
    if messages and options.out:
        files.write(options.out, "\n".join(messages) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
