"""``python -m commands.supply_chain``: what the service and its image are made of, and its flaws.

``audit``: modules are what their checksums say, and no Python package has a known flaw.
``vulncheck``: no Go function with a known flaw is called. ``staticcheck``: no bug that it knows.
``sbom``: the service's modules as CycloneDX. ``scan``: Trivy over an image's archive.

Exit code 4: nothing was checked, for a database or a tool is out of reach.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import uuid
import venv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from commands.errors import BAD_INPUT, FAILED, CommandError
from commands.files import write_whole
from commands.registry import buildx
from commands.stack_file import PROJECT
from commands.turn import turn
from local import toolchain
from local.environment import environment
from local.errors import LocalError
from local.layout import Layout
from local.machine import machine
from local.node import Node
from local.progress import Display

APP = PROJECT / "app"
UNCHECKED = 4
"""Exit code when nothing was found because nothing could be looked at."""
GOVULNCHECK = "golang.org/x/vuln/cmd/govulncheck@v1.3.0"
STATICCHECK = "honnef.co/go/tools/cmd/staticcheck@v0.7.0"
PIP_AUDIT = "pip-audit==2.10.1"
_FOUND = 3  # govulncheck's exit code when it has found something


class Go:
    """Go with the project's caches, in the service's folder."""

    def __init__(self) -> None:
        self._at = Layout()
        self._go = toolchain.find(self._at) or toolchain.install(self._at)

    def run(self, *arguments: str, tool: bool = False) -> "subprocess.CompletedProcess[str]":
        """Run Go. A tool's own pins are not the service's, so its go.mod has no say."""
        variables = self._go.variables(self._at)
        if tool:
            variables["GOFLAGS"] = "-buildvcs=false"
        return subprocess.run(
            [str(self._go.command), *arguments],
            cwd=APP,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def tool(self, package: str) -> str:
        """The path of a program built from ``package@version``, once."""
        name, _, version = package.partition("@")
        folder = self._at.root / "tools" / f"{name.rpartition('/')[2]}-{version}"
        program = folder / name.rpartition("/")[2]
        if not program.exists():
            variables = self._go.variables(self._at) | {"GOBIN": str(folder), "GOFLAGS": ""}
            done = subprocess.run(
                [str(self._go.command), "install", package],
                cwd="/",
                env=variables,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise CommandError(f"{package} cannot be built: {done.stderr.strip()}", UNCHECKED)
        return str(program)

    def check(self, program: str) -> "subprocess.CompletedProcess[str]":
        """Run a tool over the whole service."""
        path = f"{self._go.command.parent}:/usr/bin:/bin"
        variables = self._go.variables(self._at) | {"GOFLAGS": ""}
        variables["PATH"] = f"{path}:{variables.get('PATH', '')}"
        return subprocess.run(
            [program, "./..."], cwd=APP, env=variables, capture_output=True, text=True, check=False
        )


def audit() -> str:
    """Verify Go modules, and look up every installed Python package."""
    verified = Go().run("mod", "verify")
    if verified.returncode != 0:
        raise CommandError(f"go mod verify: {verified.stdout}{verified.stderr}".strip(), FAILED)
    print("go mod verify: all modules verified", flush=True)
    program = python_tool(PIP_AUDIT, "pip-audit")
    counts = [
        _audited(program, packages)
        for venv_of in (PROJECT / ".venv", PROJECT / "policy" / ".venv")
        for packages in venv_of.glob("lib/python3*/site-packages")
    ]
    return f"pip-audit: no known flaw in {sum(counts)} packages"


def _audited(program: Path, packages: Path) -> int:
    done = subprocess.run(
        [program, "--path", packages, "--format", "json", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise CommandError(f"pip-audit: not checked: {last}", UNCHECKED) from None
    flawed = [
        f"  {one['name']} {one['version']}: {flaw['id']}, fixed in"
        f" {', '.join(flaw['fix_versions']) or 'no version'}"
        for one in dependencies
        for flaw in one.get("vulns", ())
    ]
    if flawed:
        raise CommandError("pip-audit: update these:\n" + "\n".join(flawed), FAILED)
    skipped = [one["name"] for one in dependencies if "skip_reason" in one]
    if skipped:
        raise CommandError(
            f"pip-audit: not checked: the index knows no flaws of {len(skipped)} of"
            f" {len(dependencies)} packages, such as {skipped[0]}",
            UNCHECKED,
        )
    return len(dependencies)


def python_tool(requirement: str, program: str) -> Path:
    """A program from PyPI in an environment of its own, made once."""
    name = requirement.replace("==", "-")
    folder = Layout().root / "tools" / name
    path = folder / "bin" / program
    with turn(name, Layout().root / "turns"):
        if path.exists():
            return path
        venv.create(folder, with_pip=True, clear=True)
        done = subprocess.run(
            [folder / "bin" / "python", "-m", "pip", "install", "--quiet", requirement],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(f"{requirement} cannot be installed: {done.stderr}", UNCHECKED)
    return path


def vulncheck() -> str:
    """Look for calls of Go functions that have a known flaw."""
    go = Go()
    done = go.check(go.tool(GOVULNCHECK))
    if done.returncode == 0 and not done.stderr.strip():
        return "govulncheck: no known flaw is called"
    if done.returncode == _FOUND:
        raise CommandError(f"govulncheck:\n{done.stdout.strip()}", FAILED)
    raise CommandError(f"govulncheck: not checked: {done.stderr.strip()}", UNCHECKED)


def staticcheck() -> str:
    """Look for bugs in the service's source."""
    go = Go()
    done = go.check(go.tool(STATICCHECK))
    if done.returncode != 0:
        raise CommandError(f"staticcheck:\n{done.stdout}{done.stderr}".strip(), FAILED)
    return "staticcheck: nothing found"


def sbom(out: Path) -> str:
    """Write the modules of the service as the image has it."""
    with TemporaryDirectory() as folder:
        program = str(Path(folder) / "beacon")
        go = Go()
        built = go.run("build", "-tags", "timetzdata,nethttpomithttp2", "-o", program, ".")
        if built.returncode != 0:
            raise CommandError(f"app/ does not build: {built.stderr.strip()}", FAILED)
        told = go.run("version", "-m", "-json", program)
    info = json.loads(told.stdout)
    info = info[0] if isinstance(info, list) else info
    document = cyclonedx(info, (APP / "VERSION").read_text().strip())
    write_whole(out, json.dumps(document, indent=2) + "\n")
    return f"{len(document['components'])} components in {out}"


def cyclonedx(info: dict[str, Any], version: str) -> dict[str, Any]:
    """A CycloneDX 1.6 document of what Go wrote into a program."""
    modules = [one.get("Replace") or one for one in info.get("Deps") or []]
    standard = {"Path": "stdlib", "Version": info["GoVersion"].removeprefix("go")}
    own = {"type": "application", "bom-ref": "service", "name": "beacon", "version": version}
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:golang/{one['Path']}@{one['Version']}",
            "name": one["Path"],
            "version": one["Version"],
            "purl": f"pkg:golang/{one['Path']}@{one['Version']}",
        }
        for one in [standard, *modules]
    ]
    uses = [one["bom-ref"] for one in components]
    content: dict[str, Any] = {
        "metadata": {"component": own},
        "components": components,
        "dependencies": [{"ref": "service", "dependsOn": uses}],
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Of the content: the same modules are the same document.
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content)).urn,
        "version": 1,
        **content,
    }


def scan(image: Path) -> str:
    """Let Trivy look for flaws that have a fix, and for secrets."""
    trivy = shutil.which("trivy")
    if trivy is None:
        raise CommandError("trivy: not checked: it is not on this machine", UNCHECKED)
    if not image.exists():
        raise CommandError(f"there is no {image}: `make image` builds it")
    done = subprocess.run(
        [
            *(trivy, "image", "--input", str(image), "--scanners", "vuln,secret"),
            *("--severity", "HIGH,CRITICAL", "--ignore-unfixed", "--exit-code", "1"),
        ],
        check=False,
    )
    if done.returncode != 0:
        raise CommandError("trivy: the image has flaws, or could not be scanned", FAILED)
    return "trivy: nothing of severity HIGH or CRITICAL that has a fix"


def image(out: Path) -> str:
    """Build the image into an OCI archive, with provenance; nothing is pushed."""
    variables = {**os.environ, **_with_builder()}
    out.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *buildx(variables),
            *("build", "--attest", "type=provenance,mode=max"),
            *("--output", f"type=oci,dest={out}", str(APP)),
        ],
        env=variables,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError("the image does not build", FAILED)
    return f"the image and its provenance are in {out}"


def _with_builder() -> Mapping[str, str]:
    """Start a builder where the machine has none; return the variables by which it is found."""
    at = Layout()
    has = replace(machine(at), cluster=True, pulumi=True, plugins=True)
    with Display(Console(stderr=True)) as display:
        Node(at, has).up(display)
    return environment()


def _run(given: argparse.Namespace) -> str:
    match given.task:
        case "audit":
            return audit()
        case "vulncheck":
            return vulncheck()
        case "staticcheck":
            return staticcheck()
        case "sbom":
            return sbom(given.out or PROJECT / "out" / "sbom.json")
        case "image":
            return image(given.out or PROJECT / "out" / "image.tar")
    return scan(given.image)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task; return its exit code."""
    parser = argparse.ArgumentParser(prog="commands.supply_chain", description=__doc__)
    tasks = ("audit", "vulncheck", "staticcheck", "sbom", "image", "scan")
    parser.add_argument("task", choices=tasks)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--image", type=Path, default=PROJECT / "out" / "image.tar")
    try:
        print(_run(parser.parse_args(arguments)))
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
