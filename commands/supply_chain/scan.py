"""Scans of a stack with Trivy: images, rendered manifests, Dockerfiles and sources."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

import render
from commands.errors import FAILED, UNCHECKED, CommandError
from commands.go import Go
from commands.supply_chain.image import built_services, layout_of
from local.detection import detect
from local.layout import Layout
from local.node import Node
from local.progress import Display
from settings import Service, load
from settings.source import source_folder
from settings.stack_file import PROJECT_FOLDER

CONFIG = PROJECT_FOLDER / "trivy.yaml"
"""Options of Trivy: severities, and the file with the exceptions."""
_FOUND = 3
"""Exit code of Trivy if it finds something, as in :data:`CONFIG`. Its own errors exit with 1."""

_MISCONFIG, _SECRET, _LICENSE, _VULN = "misconfig", "secret", "license", "vuln"
_NAMES = {
    _MISCONFIG: "misconfigurations",
    _SECRET: "secrets",
    _LICENSE: "licences",
    _VULN: "vulnerabilities",
}


@dataclass(frozen=True)
class Target:
    """Target of one run of Trivy."""

    name: str
    scanners: Sequence[str]
    arguments: Sequence[str]
    """Subcommand and target."""


def scan(stack: str, service: str, images: Path) -> str:
    """Scan the project, the manifests of a stack, and the sources and images of its services.

    ``images`` is the folder of the OCI layouts that ``make image`` writes. Raises
    :class:`CommandError`: :data:`FAILED` if something is found, :data:`UNCHECKED` if Trivy, its
    database of vulnerabilities or the licence of a module is not available.
    """
    services = built_services(load(stack), service)
    for one in services:
        if not layout_of(images, one.name).is_dir():
            raise CommandError(f"there is no {layout_of(images, one.name)}: `make image` builds it")
    with TemporaryDirectory() as folder:
        manifests, modules = Path(folder) / "manifests", Path(folder) / "go"
        _link_modules(modules, services)
        render.write(render.manifests_of(stack), manifests)
        trivy = Trivy(modules)
        not_checked = trivy.download_database()
        targets = [
            *_targets(stack, manifests, services),
            *_image_targets(images, services, has_database=not not_checked),
        ]
        found = [target.name for target in targets if trivy.finds(target)]
    if not_checked:
        print(not_checked, flush=True)
    if found:
        raise CommandError(f"Trivy has findings: {', '.join(found)}", FAILED)
    if not_checked:
        raise CommandError("Trivy has not checked everything, and found nothing else", UNCHECKED)
    return "trivy: nothing found"


def _targets(stack: str, manifests: Path, services: Sequence[Service]) -> Iterator[Target]:
    yield Target("the project", (_MISCONFIG, _SECRET), ("fs", "."))
    count = len(list(manifests.glob("*.yaml")))
    name = f"the {count} manifests of {stack}"
    yield Target(name, (_MISCONFIG, _SECRET), ("fs", str(manifests)))
    for one in services:
        folder = str(source_folder(one.source or "").resolve())
        yield Target(f"the source of {one.name}", (_MISCONFIG, _SECRET, _LICENSE), ("fs", folder))


def _image_targets(
    images: Path, services: Sequence[Service], has_database: bool
) -> Iterator[Target]:
    # Misconfigurations of its history, see CONFIG, and not of files inside it.
    scanners = (_SECRET, _LICENSE, *([_VULN] if has_database else []))
    for one in services:
        layout = str(layout_of(images, one.name))
        arguments = ("image", "--skip-db-update", "--input", layout)
        yield Target(f"the image of {one.name}", scanners, arguments)


class Trivy:
    """Trivy: the program on the path, or else built from its Go module.

    Its checks are those that the program contains: the findings are the same on every machine with
    its version, and until somebody changes it.
    """

    def __init__(self, modules: Path) -> None:
        """Initialize with the ``GOPATH`` in which it looks up the licences of Go modules."""
        self._program = _program()
        self._modules = modules
        # Not the user's cache, which may have other checks.
        self._cache = Layout().root / "trivy"

    def download_database(self) -> str:
        """Download the database of vulnerabilities; return why it is not available, or nothing."""
        done = self._run("image", "--download-db-only", "--no-progress")
        if done.returncode == 0:
            return ""
        return "vulnerabilities of the images: not checked: the database of Trivy is not available"

    def finds(self, target: Target) -> bool:
        """Scan a target, print the findings, and return whether there are any.

        Raises :class:`CommandError` if it cannot be scanned.
        """
        subcommand, *arguments = target.arguments
        # Without the summary, which has a line for each file.
        options = ("--scanners", ",".join(target.scanners), "--table-mode", "detailed")
        # Trivy reads the licences of all modules in GOPATH, also without the scanner `license`.
        gopath = self._modules if _LICENSE in target.scanners else self._cache
        done = self._run(subcommand, *options, *arguments, GOPATH=str(gopath))
        if done.returncode not in (0, _FOUND):
            message = f"trivy: not checked: {target.name}:\n{done.stderr.strip()}"
            raise CommandError(message, UNCHECKED)
        scanners = ", ".join(_NAMES[name] for name in target.scanners)
        result = f"\n{done.stdout.strip()}" if done.returncode == _FOUND else " nothing found"
        print(f"trivy: {target.name} ({scanners}):{result}", flush=True)
        return done.returncode == _FOUND

    def _run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self._program, *arguments, "--cache-dir", self._cache],
            cwd=PROJECT_FOLDER,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )


def _program() -> str:
    if found := shutil.which("trivy"):
        return found
    layout = Layout()
    with Display(Console(stderr=True)) as display:
        Node(layout, detect(layout)).build(["trivy"], display)
    return str(layout.bin / "trivy")


def _link_modules(gopath: Path, services: Sequence[Service]) -> None:
    """Make a ``GOPATH`` with the modules of the sources, which are downloaded.

    A module that is missing there would have no licence.
    """
    for one in services:
        folder = source_folder(one.source or "")
        if not any((folder / name).is_file() for name in ("go.mod", "go.work")):
            continue
        done = Go(folder).run("mod", "download")
        if done.returncode != 0:
            message = f"trivy: not checked: the licences of {one.name}: {done.stderr.strip()}"
            raise CommandError(message, UNCHECKED)
    (gopath / "pkg").mkdir(parents=True)
    (gopath / "pkg" / "mod").symlink_to(Layout().go / "mod")
