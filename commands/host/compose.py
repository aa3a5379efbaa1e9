"""Compose file of a host."""

from collections.abc import Iterable
from typing import Any

from commands.host.deployed_track import PROGRAMS, DeployedTrack, Instance
from commands.host.environment import Environment
from commands.host.probes import PROGRAM, probe_command
from settings import parse_quantity
from settings.yaml_writer import to_yaml


def compose_file(host: str, tracks: Iterable[DeployedTrack]) -> str:
    """Return the Compose file of a host."""
    tracks = [*tracks]
    services = {
        one.name: {"container_name": one.name, **service(one)}
        for track in tracks
        for one in track.instances(host)
    }
    secrets = {
        f"{track.service.name}.{name}": {"file": f"{track.secrets_source}/{name}"}
        for track in tracks
        for name in track.secret_files
    }
    document = {"services": services, **({"secrets": secrets} if secrets else {})}
    text = to_yaml(document, sort_keys=False, width=1000)
    # Compose replaces variables in all values.
    return text.replace("$", "$$")


def service(instance: Instance) -> dict[str, Any]:
    """Return the service of an instance, without the escapes of a file."""
    track = instance.track
    own, context = track.service, track.service.security_context
    limits, requests = own.workload.resources.limits, own.workload.resources.requests
    environment = Environment.of(instance)
    address = track.host.hosts[instance.host]
    command = [*environment.command(track)]
    is_own = bool(own.command or own.args)
    fields: dict[str, Any] = {
        "image": track.image,
        "entrypoint": command[:1] if is_own else None,
        "command": command[1:] if is_own else None,
        "user": f"{context.run_as_user}:{context.run_as_group}",
        "environment": {
            name: text
            for name, text in environment.values.items()
            if (track.process.environment or {}).get(name) != text
        },
        "env_file": [track.secret_environment] if environment.secrets else None,
        "hostname": instance.pod_name[:63],
        "ports": [
            f"{address}:{instance.published[name]}:{number}" for name, number in own.ports.items()
        ],
        "volumes": _volumes(track),
        "tmpfs": [
            f"{path}:mode=1777,size={size}" for path, size in track.temporary_folders.items()
        ],
        "secrets": [
            {"source": f"{own.name}.{name}", "target": f"{track.secrets_target}/{name}"}
            for name in track.secret_files
        ],
        "healthcheck": _healthcheck(track),
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
        "cpus": float(parse_quantity(limits.cpu)),
        "mem_limit": int(parse_quantity(limits.memory)),
        "mem_reservation": int(parse_quantity(requests.memory)),
        "pids_limit": 4096,
        "restart": "always",
        "stop_signal": "SIGTERM",
        "stop_grace_period": f"{own.workload.termination_grace_period_seconds}s",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}},
    }
    return {key: value for key, value in fields.items() if value not in (None, [], {})}


def _volumes(track: DeployedTrack) -> list[str]:
    mounts = [f"{PROGRAMS}/probe:{PROGRAM}:ro"]
    if config := track.config:
        # The folder, not the file: a file that is replaced would keep its old content.
        mounts.append(f"{track.folder}/config/{track.name}:{config.path.parent}:ro")
    return mounts


def _healthcheck(track: DeployedTrack) -> dict[str, Any] | None:
    """Readiness, which an update awaits; without it, liveness."""
    probes = track.service.probes
    probe = probes.readiness or probes.liveness
    command = probe_command("check", probe, track)
    if probe is None or not command:
        return None
    startup = probes.startup
    seconds = (
        startup.initial_delay_seconds + startup.period_seconds * startup.failure_threshold
        if startup
        else 0
    )
    return {
        "test": ["CMD", *command],
        "interval": f"{probe.period_seconds}s",
        # The program ends by itself after the timeout of the probe.
        "timeout": f"{probe.timeout_seconds + 1}s",
        "retries": probe.failure_threshold,
        "start_period": f"{seconds}s",
    }
