"""``release.blueGreen`` of a service."""

from typing import Annotated, Literal

from pydantic import Field

from settings.section import Section
from settings.string_formats import HostName

Color = Literal["blue", "green"]


class BlueGreen(Section):
    """Two colors, each with its own pods. Requests are routed to the live one."""

    live: Color = "blue"
    """Color that requests are routed to. `make promote` and `make rollback` switch it."""
    preview_host: HostName | None = None
    """Host whose requests are routed to the port `routing.port` of the idle color. Default: none.
    """
    keep_warm_seconds: Annotated[int, Field(ge=0, le=3600)] = 600
    """Seconds for which the previous color keeps its pods after a switch. Then its autoscaler
    scales it to the minimum number of replicas."""
    gate_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """Seconds for which `make promote` observes the new version after the switch. If it misses the
    objective and the previous version did not, it switches back. Default: 0, no observation."""

    @property
    def idle(self) -> Color:
        """Color that is not live."""
        return "green" if self.live == "blue" else "blue"
