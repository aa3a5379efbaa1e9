"""Installs the Debian packages that the node and the builder need."""

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
from local.progress import ReportProgress

_TIMEOUT = 900.0

PACKAGES = {
    "busybox-static": Path("/bin/busybox"),
    "ca-certificates": Path("/etc/ssl/certs/ca-certificates.crt"),
    "containerd": Path("/usr/bin/containerd"),
    "containernetworking-plugins": Path("/usr/lib/cni/bridge"),
    "docker-registry": Path("/usr/bin/docker-registry"),
    "iproute2": Path("/usr/sbin/ip"),
    "ipset": Path("/usr/sbin/ipset"),
    "iptables": Path("/usr/sbin/iptables"),
    "runc": Path("/usr/sbin/runc"),
    "tzdata": Path("/usr/share/zoneinfo/UTC"),
    "util-linux": Path("/usr/bin/setpriv"),
}
"""Each package with one of its files, whose existence shows that it is installed."""

_POLICY = Path("/usr/sbin/policy-rc.d")
"""Program that Debian runs before it starts a service; exit code 101 prevents the start."""
_DENY_START = "#!/bin/sh\n# Created by slipway while it installs packages.\nexit 101\n"


def missing() -> list[str]:
    """Packages that are not installed."""
    return [package for package, file in PACKAGES.items() if not file.exists()]


def install(paths: Layout, packages: Sequence[str], report: ReportProgress) -> None:
    """Install `packages` with apt without starting their services. Raises `LocalError`."""
    if not shutil.which("apt-get"):
        raise LocalError(
            f"Packages are missing, and apt-get to install them too: {', '.join(packages)}. "
            "Use Debian, or a machine with Docker and a cluster (set KUBECONFIG)."
        )
    if os.geteuid() != 0:
        raise LocalError(
            f"Packages are missing, and only root can install them: {', '.join(packages)}. Run "
            f"`apt-get install {' '.join(packages)}` as root, then try again."
        )
    log = paths.logs / "apt.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        report("apt-get update")
        updated = _apt(output, "update")
        report(f"apt-get install {' '.join(packages)}")
        with _without_service_start():
            installed = _apt(output, "install", "--yes", "--no-install-recommends", *packages)
    uninstalled = [package for package in missing() if package in packages]
    if uninstalled or not installed:
        hint = "" if updated else " (`apt-get update` failed too)"
        named = ", ".join(uninstalled or packages)
        raise LocalError(f"apt-get did not install {named}{hint}. The end of {log}:\n{tail(log)}")


@contextmanager
def _without_service_start() -> Iterator[None]:
    """Prevent the start of services, by the existing policy-rc.d or by a temporary one."""
    # An interrupted run may have left the temporary one behind.
    temporary = not _POLICY.exists() or _POLICY.read_bytes() == _DENY_START.encode()
    if temporary:
        _POLICY.write_text(_DENY_START)
        _POLICY.chmod(0o755)
    try:
        yield
    finally:
        if temporary:
            _POLICY.unlink(missing_ok=True)


def _apt(log: IO[str], *arguments: str) -> bool:
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments]
    done = subprocess.run(
        command,
        stdout=log,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=_TIMEOUT,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        check=False,
    )
    return done.returncode == 0
