"""Command lines of the program ``probe``, which runs the probes of a service."""

from math import ceil

from commands.host.deployed_track import DeployedTrack
from settings import (
    ExecAction,
    GrpcAction,
    HttpGetAction,
    Probe,
    TcpSocketAction,
)

PROGRAM = "/.slipway/probe"
"""Path of the program in the root file system of a service."""


def probe_command(mode: str, probe: Probe | None, track: DeployedTrack) -> tuple[str, ...]:
    """Command line of a probe; ``mode`` is ``check``, ``wait`` or ``watch``. Empty: no probe."""
    ports = track.service.ports
    action = probe.action(ports) if probe else None
    if probe is None or action is None:
        return ()
    flags = [f"-timeout={probe.timeout_seconds}s"]
    if mode != "check":
        failures = _failures(mode, probe, track)
        flags += [f"-period={probe.period_seconds}s", f"-failures={failures}"]
        flags += [f"-delay={probe.initial_delay_seconds}s"] if probe.initial_delay_seconds else []
    match action:
        case HttpGetAction(path=path, port=port, scheme=scheme):
            target = (f"{scheme.lower()}://127.0.0.1:{ports[port]}{path}",)
        case GrpcAction(port=port, service=service):
            target = (f"grpc://127.0.0.1:{ports[port]}/{service}",)
        case TcpSocketAction(port=port):
            target = (f"tcp://127.0.0.1:{ports[port]}",)
        case ExecAction(command=command):
            target = ("exec", *command)
    return (PROGRAM, mode, *flags, *target)


def start_commands(track: DeployedTrack) -> tuple[tuple[str, ...], ...]:
    """Command lines that wait until an instance has started and is ready."""
    probes = track.service.probes
    commands = (probe_command("wait", one, track) for one in (probes.startup, probes.readiness))
    return tuple(one for one in commands if one)


def start_seconds(track: DeployedTrack) -> int:
    """Longest time in which an instance starts and gets ready."""
    probes = (track.service.probes.startup, track.service.probes.readiness)
    return 10 + sum(
        one.initial_delay_seconds
        + _failures("wait", one, track) * (one.period_seconds + one.timeout_seconds)
        for one in probes
        if one
    )


def _failures(mode: str, probe: Probe, track: DeployedTrack) -> int:
    """Failures after which a probe has failed.

    While an instance starts, its readiness may fail until the progress deadline.
    """
    if mode == "wait" and probe is track.service.probes.readiness:
        deadline = track.service.workload.rollout.progress_deadline_seconds
        return max(probe.failure_threshold, ceil(deadline / probe.period_seconds))
    return probe.failure_threshold
