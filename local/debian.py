"""The Debian packages that the node and the builder run on, installed only when missing."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local.errors import LocalError
from local.layout import Layout
from local.logs import tail
from local.progress import Say

_DEADLINE = 900.0

PACKAGES = {
    "busybox-static": Path("/bin/busybox"),
    "ca-certificates": Path("/etc/ssl/certs/ca-certificates.crt"),
    "containerd": Path("/usr/bin/containerd"),
    "containernetworking-plugins": Path("/usr/lib/cni/bridge"),
    "docker-registry": Path("/usr/bin/docker-registry"),
    "iproute2": Path("/usr/sbin/ip"),
    "iptables": Path("/usr/sbin/iptables"),
    "runc": Path("/usr/sbin/runc"),
    "tzdata": Path("/usr/share/zoneinfo/UTC"),
    "util-linux": Path("/usr/bin/setpriv"),
}
"""Each package, and a file of it that says it is there."""

_NO_DAEMONS = Path("/usr/sbin/policy-rc.d")
"""Debian asks this program whether a service may be started: 101 means no."""
_OURS = "#!/bin/sh\n# Made by slipway while it installs packages.\nexit 101\n"


def missing() -> list[str]:
    """The packages of the node that are not there."""
    return [package for package, file in PACKAGES.items() if not file.exists()]


def install(at: Layout, packages: Sequence[str], say: Say) -> None:
    """Installs `packages` with apt; none of their services is started.

    Raises `LocalError`.
    """
    if not shutil.which("apt-get"):
        raise LocalError(
            f"This machine lacks {', '.join(packages)} and has no apt-get to install them. "
            "Use a Debian machine, or one with Docker and a cluster (set KUBECONFIG)."
        )
    if os.geteuid() != 0:
        raise LocalError(
            f"This machine lacks {', '.join(packages)}, and only root can install packages: run "
            f"`apt-get install {' '.join(packages)}` as root, then this again."
        )
    log = at.logs / "apt.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as kept:
        say("apt-get update")
        updated = _apt(kept, "update")
        say(f"apt-get install {' '.join(packages)}")
        with _no_daemons():
            installed = _apt(kept, "install", "--yes", "--no-install-recommends", *packages)
    still = [package for package in missing() if package in packages]
    if still or not installed:
        hint = "" if updated else " (`apt-get update` failed too)"
        named = ", ".join(still or packages)
        raise LocalError(f"apt-get did not install {named}{hint}. The end of {log}:\n{tail(log)}")


@contextmanager
def _no_daemons() -> Iterator[None]:
    """Let no service be started, by the file of whoever has one there already or by ours."""
    # A run that was cut off may have left ours: it is taken over, and removed.
    ours = not _NO_DAEMONS.exists() or _NO_DAEMONS.read_bytes() == _OURS.encode()
    if ours:
        _NO_DAEMONS.write_text(_OURS)
        _NO_DAEMONS.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            _NO_DAEMONS.unlink(missing_ok=True)


def _apt(log: IO[str], *arguments: str) -> bool:
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments]
    done = subprocess.run(
        command,
        stdout=log,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=_DEADLINE,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        check=False,
    )
    return done.returncode == 0
