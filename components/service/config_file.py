"""Configuration file of a service, stored in a ConfigMap."""

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any

import yaml

from settings import Service


class ConfigFile:
    """``config`` of a service in the format of its ``configFile``."""

    path: PurePosixPath
    """Path in the container."""

    def __init__(self, service: Service) -> None:
        self.path = service.config_file.path_of(service.name)
        self._service = service

    @classmethod
    def of(cls, service: Service) -> "ConfigFile | None":
        """File of a service. ``None``: it has no ``config``."""
        return cls(service) if service.config else None

    @property
    def text(self) -> str:
        """Content of the file."""
        values = self._service.config
        if self._service.config_file.format == "json":
            return f"{json.dumps(values, indent=2, ensure_ascii=False)}\n"
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)

    @property
    def restart_checksum(self) -> str:
        """Checksum of the values whose change requires a restart."""
        text = json.dumps(self._read_at_startup(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _read_at_startup(self) -> dict[str, Any]:
        service = self._service
        if service.config_file.reload == "restart":
            return service.config
        schema = service.config_schema
        return schema.restart_required(service.config) if schema else {}
