"""``make host``: writes the files that run a stack's services on hosts without Kubernetes.

Needs no cluster. The folder has the files of each host, the configuration of nginx and of
Prometheus, and an Ansible role with playbooks that install them. It contains no secret.
"""

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from commands.errors import FAILED, CommandError, report_errors
from commands.go import Go
from commands.host.ansible_files import INVENTORY, ansible_files, inventory
from commands.host.deployed_track import DeployedTrack
from commands.host.host_files import host_files
from commands.host.image_process import image_process
from commands.host.nginx import nginx_file
from commands.host.prometheus import prometheus_files
from commands.host.unsupported import not_applied, refused
from commands.out_option import out_folder
from commands.publish import missing_digests, registry_login
from commands.supply_chain.image import with_builder
from render import RenderError, write
from settings import FIRST_PORT, PROJECT, Settings, load
from settings.project import project_name
from settings.stack_file import PROJECT_FOLDER, path_of, stack_of

PROBE = Path(__file__).parent / "probe" / "main.go"
NETWORK = Path(__file__).parent / "network.sh"
NOT_APPLIED = "not-applied.txt"


def write_folder(stack: str, out: Path) -> Sequence[str]:
    """Write the folder ``out``; return the keys of the stack that are not applied.

    Raises :class:`CommandError` before anything is written.
    """
    settings = load(stack, check_sources=True)
    stack_file = path_of(stack).name
    _check(settings, stack_file)
    owner = f"{project_name()}/{stack_of(path_of(stack))}"
    project = _project(owner)
    tracks = [*_tracks(settings, stack, project)]
    messages = [*not_applied(settings)]
    files: dict[str, str | bytes] = {
        f"hosts/{host}/{file}": text
        for host in sorted(settings.host.hosts)
        for file, text in host_files(host, tracks).items()
    }
    files["balancer/slipway.conf"] = nginx_file(settings.host, tracks)
    release = _release(files)
    scrapes = prometheus_files(tracks)
    files |= {f"prometheus/{name}": text for name, text in scrapes.items()}
    files |= ansible_files()
    files[INVENTORY] = inventory(project, owner, settings.host, tracks, release)
    files["programs/network"] = NETWORK.read_text()
    files |= probe_programs(tracks)
    files[NOT_APPLIED] = "".join(f"{one}\n" for one in messages)
    try:
        write(files, out)
    except RenderError as error:
        raise CommandError(str(error)) from None
    return messages


def _check(settings: Settings, stack_file: str) -> None:
    """Raise :class:`CommandError` for a stack that cannot run on hosts."""
    if errors := [*dict.fromkeys(refused(settings)), *missing_digests(settings)]:
        count = f"{len(errors)} error{'s' if len(errors) > 1 else ''}"
        raise CommandError(
            "\n  ".join([f"{stack_file} has {count} for hosts without Kubernetes:", *errors])
        )


def _project(owner: str) -> str:
    """Project and stack, with the characters that Compose accepts in a name."""
    return re.sub("[^a-z0-9_-]", "_", owner.replace("/", "-").lower())


def _tracks(settings: Settings, stack: str, project: str) -> Iterator[DeployedTrack]:
    variables = {**os.environ, **with_builder()}
    variables |= registry_login(stack, settings, variables)
    for service in settings.services.values():
        for role, version in service.release.tracks.items():
            image = f"{settings.image_name(service)}:{version.version}@{version.digest}"
            process = image_process(image, variables)
            own = service.of_track(role)
            if not process.command(own):
                raise CommandError(
                    f"{PROJECT}:services.{service.name}.command is missing: {image} has no program"
                )
            first = settings.host.first_ports.get(service.name, FIRST_PORT)
            namespace = settings.namespace.name
            yield DeployedTrack(
                own, role, version, image, process, namespace, first, settings.host, project
            )


def _release(files: Mapping[str, str | bytes]) -> str:
    digest = hashlib.sha256()
    for name, text in sorted(files.items()):
        data = text.encode() if isinstance(text, str) else text
        digest.update(f"{name}\0".encode() + data + b"\0")
    return digest.hexdigest()[:12]


def probe_programs(tracks: Sequence[DeployedTrack]) -> Mapping[str, bytes]:
    """Compile the program ``probe`` for each architecture of the images."""
    names = {one for track in tracks for one in track.service.image.platforms} or {"linux/amd64"}
    programs: dict[str, bytes] = {}
    go = Go(PROBE.parent)
    with TemporaryDirectory(prefix="slipway-") as folder:
        for architecture in sorted(one.partition("/")[2] for one in names):
            file = Path(folder) / architecture
            build = ("build", "-trimpath", "-ldflags", "-s -w", "-o", str(file), PROBE.name)
            done = go.run(*build, CGO_ENABLED="0", GOOS="linux", GOARCH=architecture)
            if done.returncode != 0:
                raise CommandError(f"the program probe does not compile: {done.stderr}", FAILED)
            programs[f"programs/probe-{architecture}"] = file.read_bytes()
    return programs


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the folder and print what is not applied; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.host", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--out", type=out_folder)
    options = parser.parse_args(arguments)
    out = options.out or PROJECT_FOLDER / "out" / "host" / options.stack
    for message in write_folder(options.stack, out):
        print(f"not applied: {message}")
    print(f"the files are in {out}: ansible-playbook -i inventory.yaml update.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
