"""Inputs of an image build: the same for every builder and for ``make image``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from settings import (
    BuilderSettings,
    BuildSettings,
    GoProgram,
    check_source,
    find_program,
    own_dockerfile,
)

GO_DOCKERFILE = "components/service/go.Dockerfile"
"""Dockerfile of sources that have none, relative to the project."""


@dataclass(frozen=True)
class ImageBuild:
    """Inputs of a build. Paths are relative to the project."""

    context: str
    dockerfile: str
    arguments: Mapping[str, str]
    target: str | None = None
    secrets: Mapping[str, SecretStr] = field(default_factory=dict[str, SecretStr])

    @classmethod
    def of(
        cls, source: str, version: str, service: str, build: BuildSettings, builder: BuilderSettings
    ) -> "ImageBuild":
        """Return the build of ``version`` of ``service``. Raises :class:`SourceError`."""
        check_source(source, build, service)
        dockerfile = own_dockerfile(source, build)
        if dockerfile:
            arguments = {**build.arguments, **_attestations(build, "none"), "VERSION": version}
            context = build.context or source
            return cls(context, dockerfile, arguments, build.target, build.secrets)
        program = find_program(source, build, service)
        arguments = {
            **build.arguments,
            **_attestations(build, "max" if builder.type == "buildkit" else "none"),
            **_go_arguments(program, build, builder),
            "VERSION": version,
        }
        return cls(program.context, GO_DOCKERFILE, arguments, secrets=build.secrets)


def _go_arguments(
    program: GoProgram, build: BuildSettings, builder: BuilderSettings
) -> dict[str, str]:
    """Arguments of ``go.Dockerfile``."""
    # A registry cache has no cache mounts: modules that are a layer are not downloaded again.
    is_layer = builder.cache == "registry" and program.has_downloadable_modules
    arguments = {
        "BASE_IMAGE": build.base_image,
        "CGO_ENABLED": "1" if build.cgo else None,
        "MAIN_PACKAGE": program.main_package,
        "MODULES": "layer" if is_layer else None,
        "SOURCE": program.folder,
        "TAGS": ",".join(build.tags),
        "VERSION_VARIABLE": program.version_variable,
    }
    return {name: value for name, value in arguments.items() if value not in (None, "", ".")}


def _attestations(build: BuildSettings, default: str) -> dict[str, str]:
    """Arguments that request attestations from BuildKit's Dockerfile frontend."""
    arguments: dict[str, str] = {}
    provenance = build.provenance or default
    if provenance != "none":
        arguments["BUILDKIT_ATTEST_PROVENANCE"] = f"mode={provenance}"
    if build.sbom_generator:
        arguments["BUILDKIT_ATTEST_SBOM"] = f"generator={build.sbom_generator}"
    return arguments
