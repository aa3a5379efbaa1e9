"""Status of the containers of a pod."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ContainerStatus:
    """Status of a container. Without one yet, it is not ready."""

    name: str
    is_ready: bool = False
    is_running: bool = False
    restarts: int = 0
    waiting: str = ""
    """Reason for which it waits. Empty: it does not wait."""
    ended: str = ""
    """Reason of its end, or of the end of its previous start. Empty: it has not ended."""
    exit_code: int | None = None
    """Exit code of that end."""

    @classmethod
    def of(cls, pod: Mapping[str, Any], name: str) -> "ContainerStatus":
        """Status of the container with a name."""
        return next((one for one in cls.all_of(pod) if one.name == name), cls(name))

    @classmethod
    def all_of(cls, pod: Mapping[str, Any]) -> Sequence["ContainerStatus"]:
        """Status of each container, without init containers."""
        return [_parsed(one) for one in pod.get("status", {}).get("containerStatuses") or ()]

    @property
    def problem(self) -> str:
        """Why it does not run, and how it ended before. Empty: it has no problem."""
        if self.exit_code is None:
            return self.waiting
        parts = (self.waiting, self.ended, f"exit code {self.exit_code}")
        return ", ".join((*(one for one in parts if one), f"{self.restarts} restarts"))


def _parsed(status: Mapping[str, Any]) -> ContainerStatus:
    state = status.get("state") or {}
    end = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    return ContainerStatus(
        status.get("name", ""),
        bool(status.get("ready")),
        "running" in state,
        status.get("restartCount", 0),
        (state.get("waiting") or {}).get("reason", ""),
        end.get("reason", ""),
        end.get("exitCode"),
    )
