"""``image.build`` of a service."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import MISSING, FieldError
from settings.secret import Secret
from settings.section import Section
from settings.string_formats import (
    BuildArgument,
    BuildTag,
    ImageReference,
    MainPackage,
    SecretId,
    SourceFilePath,
    SourcePath,
    StageName,
    VersionVariable,
)

_SET_BY_SLIPWAY = (
    "BASE_IMAGE",
    "BUILDKIT_ATTEST_PROVENANCE",
    "BUILDKIT_ATTEST_SBOM",
    "CGO_ENABLED",
    "MAIN_PACKAGE",
    "MODULES",
    "SOURCE",
    "TAGS",
    "VERSION",
    "VERSION_VARIABLE",
)


class BuildSettings(Section):
    """Build of the image. A folder with a `go.mod` needs no Dockerfile and no key."""

    dockerfile: SourceFilePath | None = None
    """Dockerfile, relative to the source folder. Default: `Dockerfile`, if the source has one. With
    `null`, and without one: `components/service/go.Dockerfile`, a static program in an empty
    image."""
    context: SourcePath | None = None
    """Build context, relative to the project. Default: the source folder, or the folder of the
    `go.work` that uses it."""
    target: StageName | None = None
    """Stage of the service's own Dockerfile to build. Default: the last one."""
    arguments: dict[BuildArgument, Annotated[str, Field(max_length=1024)]] = {}
    """Build arguments, besides VERSION. They are visible in the image: not for secrets. Without a
    Dockerfile: GO_VERSION, and variables of the Go command such as GOPROXY and GOPRIVATE."""
    secrets: dict[SecretId, Secret] = {}
    """Build secrets: files in `/run/secrets` of the steps that mount them, not part of the image.
    Without a Dockerfile: `netrc`, the credentials for private modules. Requires `buildkit`."""
    main_package: MainPackage | None = None
    """Main package, relative to the source folder, like `./cmd/shop`. Default: the only one, or the
    source folder itself, or `./cmd/<service>`."""
    version_variable: VersionVariable | None = None
    """String variable that is set to the version, like `main.version`. Default: `version` or
    `Version` of the main package, or of the module's only package `version`, if there is one."""
    tags: Annotated[tuple[BuildTag, ...], Field(strict=False, max_length=20)] = ()
    """Go build tags."""
    cgo: bool = False
    """True to compile with cgo, without a Dockerfile. Requires `baseImage`."""
    base_image: ImageReference | None = None
    """Image that the program is added to, without a Dockerfile. Default: an empty image with CA
    certificates. Use one with a C library for `cgo`."""
    provenance: Literal["none", "min", "max"] | None = None
    """Provenance attestation that is pushed with the image. It has timestamps: every build has
    another digest. Default: `max` without a Dockerfile and with `buildkit`, otherwise `none`."""
    sbom_generator: ImageReference | None = None
    """Image of a BuildKit SBOM generator, like `docker/buildkit-syft-scanner:stable-1`. Default: no
    SBOM is pushed with the image. Requires `buildkit`."""

    @property
    def dockerfile_name(self) -> str | None:
        """Name of the Dockerfile to look for in the source folder."""
        is_null = self.dockerfile is None and "dockerfile" in self.model_fields_set
        return None if is_null else self.dockerfile or "Dockerfile"

    def cross_field_errors(self) -> Iterator[FieldError]:
        for name, value in self.arguments.items():
            if name in _SET_BY_SLIPWAY:
                yield FieldError(f"arguments.{name}", value, "another name: Slipway sets this one")
        if self.cgo and self.base_image is None:
            yield FieldError("baseImage", MISSING, "an image with a C library, for cgo true")
