"""Units of systemd: one template unit per track, and the units that it needs."""

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from commands.host.deployed_track import PROGRAMS, DeployedTrack
from commands.host.environment import Environment, expand, secret_variables
from commands.host.ini_file import Sections, Values, to_ini
from commands.host.probes import PROGRAM, probe_command, start_commands, start_seconds
from settings import Service, parse_quantity
from settings.go_source import own_dockerfile

RESTART_UNIT = "slipway-restart@.service"
BRIDGE_NETWORK = "10.90.0.0/16"
"""Addresses of the instances and of the host."""
_SYSTEM_CALLS = ("@system-service", "~@privileged @resources")
_ERROR = "EPERM"


def shared_units() -> Mapping[str, str]:
    """Units that all services of a host share, by file name."""
    # A liveness probe that has failed restarts the instance, as the kubelet does. It also fails
    # with an instance that does not start, which systemd itself starts again.
    restart: Sections = {
        "Unit": {"Description": "Restart of %i"},
        "Service": {
            "Type": "oneshot",
            "ExecCondition": "/usr/bin/systemctl is-active --quiet %i.service",
            "ExecStart": "/usr/bin/systemctl --no-block restart %i.service",
        },
    }
    return {RESTART_UNIT: to_ini(restart)}


def track_units(track: DeployedTrack) -> Mapping[str, str]:
    """Units of a track, by file name."""
    units = {
        f"{track.name}@.service": to_ini(_service(track)),
        f"{track.name}-network@.service": to_ini(_network(track)),
    }
    if command := _liveness_command(track):
        units[f"{track.name}-liveness@.service"] = to_ini(_liveness(track, command))
    return units


def environment_file(environment: Environment) -> str:
    """Content of a file for ``EnvironmentFile``."""
    lines = []
    for name, text in environment.values.items():
        escaped = re.sub(r'(["\\$`])', r"\\\1", text)
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines)


def _network(track: DeployedTrack) -> Sections:
    name = f"{track.name}-%i"
    file = f"{track.folder}/instances/{name}"
    return {
        "Unit": {
            "Description": f"Network namespace of {name}",
            "After": "network.target",
            "StopWhenUnneeded": True,
        },
        "Service": {
            "Type": "oneshot",
            "RemainAfterExit": True,
            "EnvironmentFile": f"{file}.network",
            "ExecStart": f"{PROGRAMS}/network up {name} $ADDRESS {file}.nft",
            "ExecStop": f"{PROGRAMS}/network down {name}",
        },
    }


def _service(track: DeployedTrack) -> Sections:
    service, pods = track.service, track.service.workload
    description = f"{service.name} {track.released.version}, {track.identity.track}, instance %i"
    has_liveness = bool(_liveness_command(track))
    return {
        "Unit": {
            "Description": description,
            "Wants": [
                "network-online.target",
                *([f"{track.name}-liveness@%i.service"] if has_liveness else []),
            ],
            "Requires": "%p-network@%i.service",
            "After": ["network-online.target", "%p-network@%i.service"],
            # The kubelet restarts a container without a limit.
            "StartLimitIntervalSec": 0,
        },
        "Service": {
            "Type": "exec",
            **_start(track),
            "ExecStartPost": [exec_line(one) for one in start_commands(track)],
            "WorkingDirectory": track.process.working_directory,
            "EnvironmentFile": _environment_files(track, "%p-%i"),
            "LoadCredential": [
                f"{name}:{track.secrets_source}/{name}" for name in track.secret_files
            ],
            "Restart": "always",
            "RestartSec": 1,
            "TimeoutStartSec": start_seconds(track),
            "TimeoutStopSec": pods.termination_grace_period_seconds,
            "KillSignal": "SIGTERM",
            "KillMode": "mixed",
            **_limits(track),
            **_sandbox(track, "%p-%i", _files(track)),
            "TemporaryFileSystem": [
                f"{path}:mode=1777,size={size}" for path, size in track.temporary_folders.items()
            ],
        },
        "Install": {"WantedBy": "multi-user.target"},
    }


def _start(track: DeployedTrack) -> dict[str, Values]:
    """Program and arguments.

    systemd needs an absolute path, or a name that it looks for; other runtimes resolve a path
    from the working directory.
    """
    environment = Environment.of(next(track.instances(min(track.host.hosts))))
    program, *arguments = track.command
    program = expand(program, environment.values)
    is_name = "/" not in program
    if not is_name:
        program = posixpath.normpath(posixpath.join(track.process.working_directory, program))
    names = (*environment.values, *environment.secrets)
    return {
        "ExecStart": f"{exec_line([program])} {exec_line(arguments, names)}".rstrip(),
        "ExecSearchPath": environment.values.get("PATH", ()) if is_name else (),
    }


def _liveness_command(track: DeployedTrack) -> Sequence[str]:
    """Command line that ends when the service is not live. Empty: it has no probe."""
    return probe_command("watch", track.service.probes.liveness, track)


def _environment_files(track: DeployedTrack, name: str) -> list[str]:
    secret = [track.secret_environment] if secret_variables(track) else []
    return [f"{track.folder}/instances/{name}.env", *secret]


def _liveness(track: DeployedTrack, command: Sequence[str]) -> Sections:
    unit = f"{track.name}@%i"
    return {
        "Unit": {
            "Description": f"Liveness probe of {track.name}, instance %i",
            "BindsTo": f"{unit}.service",
            "After": f"{unit}.service",
            "OnFailure": f"slipway-restart@{unit}.service",
        },
        "Service": {
            "Type": "exec",
            "ExecStart": exec_line(command),
            "WorkingDirectory": track.process.working_directory,
            "EnvironmentFile": _environment_files(track, f"{track.name}-%i"),
            "MemoryMax": "64M",
            "CPUQuota": "20%",
            **_sandbox(track, f"{track.name}-%i", []),
        },
    }


def _limits(track: DeployedTrack) -> dict[str, Values]:
    """Resources of the pod: limits, and the requests as weights and protected memory."""
    resources = track.service.workload.resources
    cpu = parse_quantity(resources.limits.cpu)
    weight = min(max(round(parse_quantity(resources.requests.cpu) * 100), 1), 10_000)
    return {
        "CPUQuota": f"{cpu * 100:.0f}%",
        "CPUWeight": weight,
        "MemoryMax": int(parse_quantity(resources.limits.memory)),
        "MemoryLow": int(parse_quantity(resources.requests.memory)),
        "TasksMax": 4096,
    }


def _files(track: DeployedTrack) -> Iterator[str]:
    """Files of the service: DNS, configuration and secrets."""
    yield "-/etc/resolv.conf"
    if config := track.config:
        yield f"{track.folder}/config/{track.name}:{config.path.parent}"
    if track.secret_files:
        yield f"/run/credentials/%n:{track.secrets_target}"


def _sandbox(track: DeployedTrack, namespace: str, files: Iterable[str]) -> dict[str, Values]:
    """Restrictions of a service: at least those of Pod Security ``restricted``.

    The root file system is that of the image. The network namespace has the ports of the service,
    so two versions can have the same.
    """
    service, context = track.service, track.service.security_context
    is_closed = not service.peers.to and not track.host.otlp_endpoint
    return {
        "NetworkNamespacePath": f"/run/netns/{namespace}",
        "RootDirectory": track.root,
        "MountAPIVFS": True,
        "BindReadOnlyPaths": [f"{PROGRAMS}/probe:{PROGRAM}", *files],
        "User": context.run_as_user,
        "Group": context.run_as_group,
        "UMask": "0077",
        "NoNewPrivileges": True,
        "CapabilityBoundingSet": "",
        "AmbientCapabilities": "",
        "ProtectSystem": "strict",
        "ProtectHome": True,
        "PrivateDevices": True,
        "PrivateTmp": True,
        "PrivateUsers": False,
        "PrivateIPC": True,
        "ProtectProc": "invisible",
        "ProcSubset": "pid",
        "ProtectClock": True,
        "ProtectControlGroups": True,
        "ProtectHostname": True,
        "ProtectKernelLogs": True,
        "ProtectKernelModules": True,
        "ProtectKernelTunables": True,
        "LockPersonality": True,
        "MemoryDenyWriteExecute": _is_static_go_program(service),
        "RemoveIPC": True,
        "RestrictNamespaces": True,
        "RestrictRealtime": True,
        "RestrictSUIDSGID": True,
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
        "SystemCallArchitectures": "native",
        "SystemCallFilter": _SYSTEM_CALLS,
        "SystemCallErrorNumber": _ERROR,
        # As by a NetworkPolicy without peers: nginx and Prometheus connect through the bridge.
        "IPAddressDeny": "any" if is_closed else (),
        "IPAddressAllow": f"localhost {BRIDGE_NETWORK}" if is_closed else (),
    }


def exec_line(command: Sequence[str], variables: Collection[str] = ()) -> str:
    """Return a command line of a unit. systemd replaces ``$(NAME)`` of ``variables`` only."""
    return " ".join(_word(one, variables) for one in command)


def _word(text: str, variables: Collection[str]) -> str:
    def reference(found: re.Match[str]) -> str:
        if found[1] in variables:
            return f"${{{found[1]}}}"
        return "$$" if found[0] == "$$" else found[0].replace("$", "$$")

    # Of Kubernetes: `$$` is `$`.
    escaped = re.sub(r"\$\$|\$\((\w+)\)|\$", reference, text.replace("%", "%%"))
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./${}-]+", escaped):
        return escaped
    quoted = escaped.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{quoted}"'


def _is_static_go_program(service: Service) -> bool:
    """True for a program that needs no writable and executable memory.

    A C library may, and an image that Slipway has not built may compile its code at run time.
    """
    build = service.image.build
    return bool(service.source) and not build.cgo and not own_dockerfile(service.source, build)
