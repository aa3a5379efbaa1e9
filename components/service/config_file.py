"""Configuration file of the service, stored in a ConfigMap."""

import hashlib
from pathlib import PurePosixPath

import yaml

from settings import Service

CONFIG_FILE = PurePosixPath("/etc/beacon/config.yaml")
"""Path of the configuration file in the container."""
TOKEN_FILE = PurePosixPath("/run/secrets/beacon/token")
"""Path of the admin port's bearer token in the container."""

_NOT_HOT_RELOADED = {
    "listen": True,
    "adminListen": True,
    "startupCheck": True,
    "timeouts": {"readHeader", "read", "write", "idle"},
    "tracing": {"endpoint"},
    "profiling": True,
}
"""Keys that the service reads only at startup, as documented in ``app/README.md``."""


class ConfigFile:
    """``config`` of a service with its ports, the path of its token and the trace receiver's URL.

    ``otlp_endpoint`` is the base URL of an OTLP/HTTP receiver. ``None``: tracing is disabled.
    """

    def __init__(self, service: Service, otlp_endpoint: str | None = None) -> None:
        config = service.config
        self._values = {
            "listen": f":{service.port}",
            "adminListen": f":{service.admin_port}",
            **config.model_dump(mode="json", by_alias=True),
        }
        self._values["faults"]["tokenFile"] = str(TOKEN_FILE)
        self._values["tracing"]["endpoint"] = otlp_endpoint or ""
        self._values["upstream"] = config.upstream or ""

    @property
    def text(self) -> str:
        """Content of the file."""
        return yaml.safe_dump(self._values, sort_keys=False)

    @property
    def restart_checksum(self) -> str:
        """Checksum of the values that are not hot-reloaded: a change requires a restart."""
        values = {
            key: self._values[key]
            if part is True
            else {name: self._values[key][name] for name in sorted(part)}
            for key, part in _NOT_HOT_RELOADED.items()
        }
        return hashlib.sha256(repr(values).encode()).hexdigest()[:16]
