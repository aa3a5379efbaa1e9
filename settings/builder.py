"""``slipway:builder``."""

from collections.abc import Iterator
from typing import Literal

from settings.errors import FieldError
from settings.section import Section


class BuilderSettings(Section):
    """Builder of the services' images."""

    type: Literal["buildkit", "docker"] = "buildkit"
    """`buildkit` builds with docker buildx, `docker` with the Docker Engine's own builder."""
    cache: Literal["builder", "registry"] = "builder"
    """Build cache. `registry` is for builders without persistent storage, as in CI."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.type == "docker" and self.cache == "registry":
            yield FieldError("cache", self.cache, '"builder" with builder.type docker')
