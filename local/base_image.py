"""The base image `golang:<minor>`, built here because it cannot be pulled."""

import subprocess
from pathlib import Path

from local.errors import LocalError
from local.images import Image
from local.toolchain import Toolchain

BUSYBOX = Path("/bin/busybox")
CA_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""CA certificates that this machine trusts, also part of the images built here."""

_TIME_ZONES = Path("/usr/share/zoneinfo")


def base_image(go: Toolchain) -> Image:
    """A shell, CA certificates, time zones and the Go toolchain of this machine.

    Its CA certificates let builds use a company's module proxy. Raises `LocalError`.
    """
    for path in (BUSYBOX, CA_CERTIFICATES, _TIME_ZONES):
        if not path.exists():
            raise LocalError(f"The base image for Go builds needs {path}, which does not exist.")
    applets = subprocess.run(
        [BUSYBOX, "--list"], capture_output=True, text=True, check=True
    ).stdout.split()
    return Image(
        repository="library/golang",
        tag=go.minor,
        key=f"{go.version} {fingerprint(BUSYBOX)} {fingerprint(CA_CERTIFICATES)}",
        content={
            "/bin/busybox": BUSYBOX,
            "/etc/ssl/certs/ca-certificates.crt": CA_CERTIFICATES,
            "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
            "/etc/group": b"root:x:0:\n",
            "/etc/nsswitch.conf": b"hosts: files dns\n",
            "/usr/share/zoneinfo": _TIME_ZONES,
            "/usr/local/go": go.root,
        },
        links={f"/bin/{applet}": "busybox" for applet in applets if applet != "busybox"},
        environment={
            "PATH": "/usr/local/go/bin:/go/bin:/usr/bin:/bin",
            "GOPATH": "/go",
            "GOTOOLCHAIN": "local",
            "HOME": "/root",
        },
        user="0:0",
        working_dir="/go",
    )


def fingerprint(path: Path) -> str:
    """Changes when the file changes."""
    status = path.stat()
    return f"{path}:{status.st_size}:{status.st_mtime_ns}"
