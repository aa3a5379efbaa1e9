"""``slipway:image``."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import FieldError
from settings.secret import Secret
from settings.section import Section
from settings.string_formats import BuildArgument, Registry, Repository


class RegistryCredentials(Section):
    """Credentials for the registry, for pushing and as the pods' image pull secret."""

    username: Annotated[str, Field(min_length=1, max_length=253)]
    """User name."""
    password: Secret
    """Password or access token."""


class ImageSettings(Section):
    """Container image: registry and build."""

    registry: Registry
    """Host and port of the OCI registry."""
    repository: Repository
    """Repository in the registry."""
    builder: Literal["buildkit", "docker"] = "buildkit"
    """`buildkit` builds with docker buildx, `docker` with the Docker Engine's own builder."""
    platforms: Annotated[
        tuple[Literal["linux/amd64", "linux/arm64"], ...], Field(strict=False, max_length=2)
    ] = ()
    """Target platforms. Default: the builder's platform. Several platforms require `buildkit`."""
    cache: Literal["builder", "registry"] = "builder"
    """Build cache. `registry` is for builders without persistent storage, as in CI."""
    build_args: dict[BuildArgument, Annotated[str, Field(max_length=1024)]] = {}
    """Build arguments, besides VERSION. They are visible in the image: not for secrets."""
    credentials: RegistryCredentials | None = None
    """Default: none, for an open registry or a machine that is already logged in."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.builder == "docker" and len(self.platforms) > 1:
            yield FieldError("platforms", self.platforms, "one platform with image.builder docker")
        if self.builder == "docker" and self.cache == "registry":
            yield FieldError("cache", self.cache, '"builder" with image.builder docker')

    @property
    def name(self) -> str:
        """Image name without tag or digest."""
        return f"{self.registry}/{self.repository}"
