"""``image`` of a service."""

from typing import Annotated, Literal

from pydantic import Field

from settings.section import Section
from settings.string_formats import BuildArgument, Repository


class ImageSettings(Section):
    """Container image of the service."""

    repository: Repository | None = None
    """Repository in the registry. Default: `<project>/<service>`."""
    platforms: Annotated[
        tuple[Literal["linux/amd64", "linux/arm64"], ...], Field(strict=False, max_length=2)
    ] = ()
    """Target platforms. Default: the builder's platform. Several platforms require `buildkit`."""
    build_args: dict[BuildArgument, Annotated[str, Field(max_length=1024)]] = {}
    """Build arguments, besides VERSION. They are visible in the image: not for secrets."""
