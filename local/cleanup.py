"""Removes what a stopped or killed node leaves behind: containers, mounts, cgroups, sockets."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from local import files
from local.layout import Layout

_DEADLINE = 10.0
_POLL_INTERVAL = 0.05
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def clear_after_reboot(paths: Layout) -> None:
    """Deletes runtime state from before the last reboot of the machine."""
    stamp = paths.run / "boot"
    boot = _BOOT_ID.read_text()
    if stamp.is_file() and stamp.read_text() == boot:
        return
    clear(paths)
    files.write(files.private_folder(paths.run) / stamp.name, boot)


def clear(paths: Layout) -> None:
    """Kills every container of the node and removes its mounts, cgroups and runtime folders.

    The node's daemons must be stopped. Images, volumes and the cluster's state are kept: containerd
    and the kubelet start as after a power failure.
    """
    _kill_containers(paths)
    for mount in _mounts_below(paths.node):
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
    _remove_cgroups()
    shutil.rmtree(paths.run, ignore_errors=True)
    shutil.rmtree(paths.pod_logs, ignore_errors=True)


def _kill_containers(paths: Layout) -> None:
    shims = _shims(paths)
    # Containers first: their shims report the end of each to containerd.
    killed = [*_descendants(shims), *shims]
    for pid in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + _DEADLINE
    while any(_is_running(pid) for pid in killed) and time.monotonic() < end:
        time.sleep(_POLL_INTERVAL)


def _shims(paths: Layout) -> list[int]:
    """Shim processes of this node's containerd, identified by its socket."""
    socket = os.fsencode(paths.containerd_socket)
    found = []
    for pid in _processes():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"containerd-shim" in words[0] and socket in words:
            found.append(pid)
    return found


def _descendants(parents: list[int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid in _processes():
        if (parent := _parent(pid)) is not None:
            children.setdefault(parent, []).append(pid)
    found, unvisited = [], list(parents)
    while unvisited:
        below = children.get(unvisited.pop(), [])
        found += below
        unvisited += below
    return found


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _status(pid: int) -> list[str] | None:
    """Fields of `/proc/<pid>/stat` after the process name, which may contain any character."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _parent(pid: int) -> int | None:
    status = _status(pid)
    return int(status[1]) if status else None


def _is_running(pid: int) -> bool:
    status = _status(pid)
    return status is not None and status[0] != "Z"


def _mounts_below(folder: Path) -> list[str]:
    """Mount points, deepest first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return sorted((each for each in points if each.startswith(f"{folder}/")), reverse=True)


def _remove_cgroups() -> None:
    """Removes the kubelet's cgroups without processes, in every hierarchy."""
    for root in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*")):
        top = root / "kubepods"
        if not top.is_dir():
            continue
        below = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
        for path in (*below, top):
            try:
                path.rmdir()
            except OSError:
                continue
