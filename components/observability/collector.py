"""Common parts of the OpenTelemetry Collectors."""

from pathlib import PurePosixPath
from typing import Any

from components.observability.server import HttpProbe

CONFIG_DIR = PurePosixPath("/etc/otelcol")
CONFIG_FILE = "collector.yaml"
HEALTH = HttpProbe("/", 13133)

Config = dict[str, Any]

MEMORY_LIMITER: Config = {
    "check_interval": "1s",
    "limit_percentage": 75,
    "spike_limit_percentage": 20,
}


def telemetry(port: int) -> Config:
    """Logs and metrics of the collector itself, at a port."""
    own = {"host": "0.0.0.0", "port": port}  # noqa: S104
    return {
        "logs": {"level": "warn"},
        "metrics": {"readers": [{"pull": {"exporter": {"prometheus": own}}}]},
    }
