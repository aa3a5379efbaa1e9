"""What a node leaves behind when it ends, by order or not: shims, mounts, cgroups, sockets."""

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
_PAUSE = 0.05
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def clear_after_restart(at: Layout) -> None:
    """Forgets the run-time state of an earlier run of the machine: its processes are gone."""
    stamp = at.run / "boot"
    boot = _BOOT.read_text()
    if stamp.is_file() and stamp.read_text() == boot:
        return
    clear(at)
    files.write(files.private_folder(at.run) / stamp.name, boot)


def clear(at: Layout) -> None:
    """Ends every container of the node and takes away what the kernel keeps for them.

    Nothing of the node may be running. Images, volumes and the cluster's state stay; what
    containerd and the kubelet then find is what they find after a power cut.
    """
    _end_containers(at)
    for mount in _mounts_below(at.node):
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
    _remove_cgroups()
    shutil.rmtree(at.run, ignore_errors=True)
    shutil.rmtree(at.pod_logs, ignore_errors=True)


def _end_containers(at: Layout) -> None:
    shims = _shims(at)
    # A shim tells its containerd that a container ended: so the containers first.
    ended = [*_descendants(shims), *shims]
    for pid in ended:
        _kill(pid)
    end = time.monotonic() + _DEADLINE
    while any(_is_alive(pid) for pid in ended) and time.monotonic() < end:
        time.sleep(_PAUSE)


def _shims(at: Layout) -> list[int]:
    """The processes that hold containers of our containerd, known by its socket."""
    socket = os.fsencode(at.containerd_socket)
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
    found, open_ = [], list(parents)
    while open_:
        below = children.get(open_.pop(), [])
        found += below
        open_ += below
    return found


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _status(pid: int) -> list[str] | None:
    """What `/proc/<pid>/stat` says after the name, which may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _parent(pid: int) -> int | None:
    status = _status(pid)
    return int(status[1]) if status else None


def _is_alive(pid: int) -> bool:
    status = _status(pid)
    return status is not None and status[0] != "Z"


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _mounts_below(folder: Path) -> list[str]:
    """Mount points, the deepest first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return sorted((each for each in points if each.startswith(f"{folder}/")), reverse=True)


def _remove_cgroups() -> None:
    """The kubelet's cgroups, in every hierarchy; those that hold processes stay."""
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
