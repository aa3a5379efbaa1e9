"""``image`` of a service."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.build import BuildSettings
from settings.errors import FieldError
from settings.section import Section
from settings.string_formats import Repository


class ImageSettings(Section):
    """Container image of the service."""

    repository: Repository | None = None
    """Repository in the registry. Default: `<project>/<service>`."""
    platforms: Annotated[
        tuple[Literal["linux/amd64", "linux/arm64"], ...], Field(strict=False, max_length=2)
    ] = ()
    """Target platforms. Default: the builder's platform, or those of `workload.edge`. Several
    platforms require `buildkit`."""
    build: BuildSettings = BuildSettings.model_construct()

    def errors_with_docker(self) -> Iterator[FieldError]:
        """Keys that the Docker Engine's own builder does not support."""
        build, reason = self.build, "with builder.type docker"
        if len(self.platforms) > 1:
            yield FieldError("platforms", self.platforms, f"one platform {reason}")
        for name in build.secrets:
            yield FieldError(f"build.secrets.{name}", "(encrypted)", f"no secrets {reason}")
        if build.provenance not in (None, "none"):
            yield FieldError("build.provenance", build.provenance, f'"none" {reason}')
        if build.sbom_generator:
            yield FieldError("build.sbomGenerator", build.sbom_generator, f"no generator {reason}")
