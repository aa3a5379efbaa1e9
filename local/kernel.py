"""What containers need of this machine's kernel."""

import subprocess
from pathlib import Path

from local.errors import LocalError

_INOTIFY = {"max_user_instances": 1024, "max_user_watches": 131_072}
"""What all of root's containers share: each log reader and each reloader takes an instance."""

_SYSTEM = Path("/proc/sys/fs/inotify")
_MOUNTS = Path("/proc/self/mountinfo")


def prepare() -> None:
    """Raises limits that are too low, and lets containers see mounts that come later.

    With systemd the root is shared already; without it, the kernel's default is private.
    """
    for name, least in _INOTIFY.items():
        path = _SYSTEM / name
        if path.exists() and int(path.read_text()) < least:
            path.write_text(str(least))
    if not _root_is_shared(_MOUNTS.read_text()):
        command = ["mount", "--make-rshared", "/"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


def _root_is_shared(mounts: str) -> bool:
    """Of the mounts at `/` the last one counts: it covers the others."""
    fields = [line.split() for line in mounts.splitlines()]
    tags = [words[6 : words.index("-")] for words in fields if words[4] == "/"]
    return any(tag.startswith("shared:") for tag in tags[-1]) if tags else False
