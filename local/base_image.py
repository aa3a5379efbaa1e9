"""The image that `FROM golang:<minor>` means on a machine that cannot pull it."""

import subprocess
from pathlib import Path

from local.errors import LocalError
from local.images import Image
from local.toolchain import Toolchain

_BUSYBOX = Path("/bin/busybox")
ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")
"""What this machine trusts, and images made here too."""

_TIME_ZONES = Path("/usr/share/zoneinfo")


def base_image(go: Toolchain) -> Image:
    """A shell, CA roots, time zones and the machine's own Go toolchain.

    The roots are this machine's, so that builds trust what it trusts (a company's module proxy).
    """
    for path in (_BUSYBOX, ROOTS, _TIME_ZONES):
        if not path.exists():
            raise LocalError(f"The base image of Go builds needs {path}, which is not there.")
    applets = subprocess.run(
        [_BUSYBOX, "--list"], capture_output=True, text=True, check=True
    ).stdout.split()
    return Image(
        repository="library/golang",
        tag=go.minor,
        key=f"{go.version} {fingerprint(_BUSYBOX)} {fingerprint(ROOTS)}",
        content={
            "/bin/busybox": _BUSYBOX,
            "/etc/ssl/certs/ca-certificates.crt": ROOTS,
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
        work_folder="/go",
    )


def fingerprint(path: Path) -> str:
    """Changes with the file."""
    status = path.stat()
    return f"{path}:{status.st_size}:{status.st_mtime_ns}"
