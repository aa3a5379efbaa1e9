"""``ports`` of a service."""

from typing import Annotated

from pydantic import Field

from settings.string_formats import StringFormat

HTTP = "http"
"""Name of the port that is routed, and probed, by default."""

Port = Annotated[int, Field(ge=1, le=65535)]
PortName = Annotated[
    str,
    StringFormat(
        "a port name: at most 15 of a-z, 0-9 and single -, with a letter, like http",
        r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*",
        15,
    ),
]
Ports = Annotated[dict[PortName, Port], Field(max_length=20)]
"""Container ports by name."""


def default_port(ports: Ports) -> str | None:
    """Name of the port ``http``, or else of the first port by name. ``None``: there is none."""
    # The engine passes the ports sorted by name.
    return HTTP if HTTP in ports else min(ports, default=None)
