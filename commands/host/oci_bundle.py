"""Configuration of an OCI bundle, which ``runc`` runs under Supervisor."""

from collections.abc import Iterator
from typing import Any

from commands.host.deployed_track import PROGRAMS, Instance
from commands.host.environment import Environment
from commands.host.probes import PROGRAM
from settings import parse_quantity

_CPU_PERIOD = 100_000
"""Microseconds."""
_SAFE = ("nosuid", "nodev", "noexec")
_MASKED = (
    *("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug"),
    *("/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware"),
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

Json = dict[str, Any]


def oci_config(instance: Instance) -> Json:
    """Return the content of ``config.json``: a container as restricted as a pod."""
    track = instance.track
    service, context = track.service, track.service.security_context
    environment = Environment.of(instance)
    limits, requests = service.workload.resources.limits, service.workload.resources.requests
    writable = context.exceptions.read_only_root_filesystem is not None
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": context.run_as_user, "gid": context.run_as_group, "umask": 0o077},
            "args": [*environment.command(track)],
            "env": [f"{name}={text}" for name, text in environment.values.items()],
            "cwd": track.process.working_directory,
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": track.root, "readonly": not writable},
        "hostname": instance.pod_name[:63],
        "mounts": [*_mounts(instance)],
        "linux": {
            "namespaces": [
                *({"type": one} for one in ("pid", "ipc", "uts", "mount")),
                {"type": "network", "path": f"/run/netns/{instance.name}"},
            ],
            "cgroupsPath": f"/slipway/{instance.name}",
            "resources": {
                "devices": [{"allow": False, "access": "rwm"}],
                "memory": {
                    "limit": int(parse_quantity(limits.memory)),
                    "reservation": int(parse_quantity(requests.memory)),
                },
                "cpu": {
                    "quota": int(parse_quantity(limits.cpu) * _CPU_PERIOD),
                    "period": _CPU_PERIOD,
                    "shares": max(int(parse_quantity(requests.cpu) * 1024), 2),
                },
                "pids": {"limit": 4096},
            },
            "maskedPaths": [*_MASKED],
            "readonlyPaths": [*_READ_ONLY],
        },
    }


def _mounts(instance: Instance) -> Iterator[Json]:
    track = instance.track
    yield _mount("/proc", "proc", *_SAFE)
    yield _mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k")
    yield _mount("/sys", "sysfs", *_SAFE, "ro")
    # The service can read its limits.
    yield _mount("/sys/fs/cgroup", "cgroup", *_SAFE, "relatime", "ro")
    for path, size in track.temporary_folders.items():
        yield _mount(path, "tmpfs", *_SAFE, "mode=1777", f"size={size}")
    binds = {PROGRAM: f"{PROGRAMS}/probe", "/etc/resolv.conf": "/etc/resolv.conf"}
    if config := track.config:
        binds[str(config.path.parent)] = f"{track.folder}/config/{track.name}"
    for name in track.secret_files:
        binds[f"{track.secrets_target}/{name}"] = f"{track.secrets_source}/{name}"
    for path, source in binds.items():
        options = ["bind", "ro", "nosuid", "nodev"]
        yield {"destination": path, "type": "bind", "source": source, "options": options}


def _mount(path: str, kind: str, *options: str) -> Json:
    return {"destination": path, "type": kind, "source": kind, "options": [*options]}
