"""The service's configuration file, as a ConfigMap holds it and the service reads it."""

import hashlib
from pathlib import PurePosixPath

import yaml

from settings import Service, ServiceConfig

CONFIG_FILE = PurePosixPath("/etc/beacon/config.yaml")
"""Where the service looks for it."""
TOKEN_FILE = PurePosixPath("/run/secrets/beacon/token")
"""Where the bearer token of the admin port is mounted."""

_NEEDS_RESTART = {
    "listen": True,
    "adminListen": True,
    "startupCheck": True,
    "timeouts": {"readHeader", "read", "write", "idle"},
    "tracing": {"endpoint"},
    "profiling": True,
}
"""The keys that the service reads only at its start, as its README says."""


class ConfigFile:
    """``config`` completed by what the stack decides: ports, the token's place, the trace store.

    ``traces`` is the base URL of an OTLP/HTTP receiver. ``None``: the service traces nothing.
    """

    def __init__(self, config: ServiceConfig, service: Service, traces: str | None = None) -> None:
        self._values = {
            "listen": f":{service.port}",
            "adminListen": f":{service.admin_port}",
            **config.model_dump(mode="json", by_alias=True),
        }
        self._values["faults"]["tokenFile"] = str(TOKEN_FILE)
        self._values["tracing"]["endpoint"] = traces or ""
        self._values["upstream"] = config.upstream or ""

    @property
    def text(self) -> str:
        """The file."""
        return yaml.safe_dump(self._values, sort_keys=False)

    @property
    def restart_checksum(self) -> str:
        """Changes when a value changes that needs a restart, and only then."""
        read_at_start = {
            key: self._values[key]
            if part is True
            else {name: self._values[key][name] for name in sorted(part)}
            for key, part in _NEEDS_RESTART.items()
        }
        return hashlib.sha256(repr(read_at_start).encode()).hexdigest()[:16]
