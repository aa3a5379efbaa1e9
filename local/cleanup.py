"""Removes what a stopped or killed node leaves behind: containers, mounts, cgroups, sockets."""

import contextlib
import shutil
import subprocess
import time
from pathlib import Path

import psutil

from local import files
from local.layout import Layout

_DEADLINE = 10.0
_POLL_INTERVAL = 0.05
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def clear_after_reboot(paths: Layout) -> None:
    """Delete runtime state from before the last reboot of the machine."""
    stamp = paths.run / "boot"
    boot = _BOOT_ID.read_text()
    if stamp.is_file() and stamp.read_text() == boot:
        return
    clear(paths)
    files.write(files.private_folder(paths.run) / stamp.name, boot)


def clear(paths: Layout) -> None:
    """Kill every container of the node and remove its mounts, cgroups and runtime folders.

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
    # The shims of this node's containerd have its socket in their command line.
    shims = [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if str(paths.containerd_socket) in (process.info["cmdline"] or ())
        and process.info["name"].startswith("containerd-shim")
    ]
    containers = [child for shim in shims for child in shim.children(recursive=True)]
    # Containers first: their shims report the end of each to containerd.
    killed = [*containers, *shims]
    for process in killed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    end = time.monotonic() + _DEADLINE
    while any(map(_is_running, killed)) and time.monotonic() < end:
        time.sleep(_POLL_INTERVAL)


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _mounts_below(folder: Path) -> list[str]:
    """Mount points, deepest first."""
    points = [mount.mountpoint for mount in psutil.disk_partitions(all=True)]
    return sorted((each for each in points if each.startswith(f"{folder}/")), reverse=True)


def _remove_cgroups() -> None:
    """Remove the kubelet's cgroups without processes, in every hierarchy."""
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
