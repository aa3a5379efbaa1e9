"""``slipway:registry``."""

from typing import Annotated

from pydantic import Field

from settings.secret import Secret
from settings.section import Section
from settings.string_formats import Registry


class RegistryCredentials(Section):
    """Credentials for the registry, for pushing and as the pods' image pull secret."""

    username: Annotated[str, Field(min_length=1, max_length=253)]
    """User name."""
    password: Secret
    """Password or access token."""


class RegistrySettings(Section):
    """OCI registry of the services' images."""

    host: Registry
    """Host and port."""
    credentials: RegistryCredentials | None = None
    """Default: none, for an open registry or a machine that is already logged in."""
