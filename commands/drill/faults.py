"""Faults of bad versions: the keys of a service that cause them."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from commands.errors import CommandError
from settings import Fault, Service

ALL: tuple[Fault, ...] = get_args(Fault)
UNUSED_PORT = 61234
"""Port that no program of the pod listens on."""
_NAME = "drill"
"""Name of the port, and of the ConfigMap that does not exist."""
_MEMORY = "8Mi"
_MAX_DELAY = 600
"""Longest ``initialDelaySeconds`` of a probe."""


def _default(fault: Fault, service: Service) -> Mapping[str, Any] | None:
    """Keys that cause a fault in any service, also with an image from scratch."""
    match fault:
        case "crashLoop":
            return {"command": ["/slipway-drill/exits"]}  # no image has it
        case "neverReady":
            readiness = {"httpGet": None, "grpc": None, "exec": None, "tcpSocket": {"port": _NAME}}
            ports = {**service.ports, _NAME: UNUSED_PORT}
            return {"ports": ports, "probes": {"readiness": readiness}}
        case "memoryLeak":
            memory = {"memory": _MEMORY}
            return {"workload": {"resources": {"requests": memory, "limits": memory}}}
        case "slowStart":
            # Longer than the deadline, from the end of the startup probe on.
            delay = min(service.drill.progress_deadline_seconds * 2, _MAX_DELAY)
            return {"probes": {"readiness": {"initialDelaySeconds": delay}}}
        case "badConfiguration":
            return {"envFrom": [{"configMapRef": {"name": f"{_NAME}-missing"}}]}
        case "errors" | "latency":
            return None  # only the service itself can cause them


def keys_of(fault: Fault, service: Service) -> Mapping[str, Any] | None:
    """Keys that cause ``fault``: those of the service, or the default. ``None``: there is none."""
    return service.drill.faults.get(fault) or _default(fault, service)


def selected(names: str, service: Service) -> Sequence[Fault]:
    """Faults of the option ``FAULTS``: names with commas between, or "" for all that have keys.

    Raises :class:`CommandError` for a name that is no fault, and for a fault without keys.
    """
    if not names:
        return [fault for fault in ALL if keys_of(fault, service)]
    given = [name.strip() for name in names.split(",")]
    chosen: list[Fault] = [fault for fault in ALL if given.count(fault)]
    for name in given:
        if name not in ALL:
            raise CommandError(f"FAULTS={names}: {name} is no fault, use {', '.join(ALL)}")
    for fault in chosen:
        if keys_of(fault, service) is None:
            raise CommandError(
                f"FAULTS={names}: nothing causes {fault} in {service.name}. Set "
                f"slipway:services.{service.name}.drill.faults.{fault} to the keys that do, "
                "like env or config"
            )
    return chosen
