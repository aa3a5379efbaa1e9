"""``slipway:registry``."""

import json
from base64 import b64encode

from settings.secret import Secret
from settings.section import Section
from settings.string_formats import Registry, RegistryUser


class RegistryCredentials(Section):
    """Credentials for pushing and looking up images, and the pods' image pull secret."""

    username: RegistryUser
    """User name."""
    password: Secret
    """Password or access token."""


class RegistrySettings(Section):
    """OCI registry of the services' images."""

    host: Registry
    """Host and port."""
    credentials: RegistryCredentials | None = None
    """Default: none, for an open registry or a machine that is already logged in."""

    def image_name(self, repository: str) -> str:
        """Image name of a repository, without tag or digest."""
        return f"{self.host}/{repository}"


def docker_config(host: str, username: str, password: str) -> str:
    """Content of a Docker configuration file with the credentials of one registry."""
    # The name under which Docker keeps the credentials of Docker Hub.
    key = "https://index.docker.io/v1/" if host == "docker.io" else host
    pair = b64encode(f"{username}:{password}".encode()).decode()
    return json.dumps({"auths": {key: {"auth": pair}}})
