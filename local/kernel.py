"""Kernel settings that containers need."""

import subprocess
from pathlib import Path

from local.errors import LocalError

_MINIMUM_INOTIFY = {"max_user_instances": 1024, "max_user_watches": 131_072}
"""Limits shared by all containers of root: each log collector and config reloader uses one."""

_INOTIFY = Path("/proc/sys/fs/inotify")
_MOUNTS = Path("/proc/self/mountinfo")


def configure() -> None:
    """Raise inotify limits that are too low, and make the root mount shared.

    Containers see later mounts only below a shared mount: systemd makes the root shared, but
    without systemd it is private.
    """
    for name, minimum in _MINIMUM_INOTIFY.items():
        path = _INOTIFY / name
        if path.exists() and int(path.read_text()) < minimum:
            path.write_text(str(minimum))
    if not _root_is_shared(_MOUNTS.read_text()):
        command = ["mount", "--make-rshared", "/"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


def _root_is_shared(mounts: str) -> bool:
    """Of several mounts at `/`, the last one covers the others."""
    fields = [line.split() for line in mounts.splitlines()]
    tags = [words[6 : words.index("-")] for words in fields if words[4] == "/"]
    return any(tag.startswith("shared:") for tag in tags[-1]) if tags else False
