"""Container image: built from the working tree and pushed, or already published."""

from typing import NotRequired, TypedDict, cast

import pulumi
from pulumi.output import UNKNOWN
from pydantic import SecretStr

from components.service.image_build import ImageBuild
from settings import (
    BuilderSettings,
    ImageSettings,
    RegistrySettings,
    ReleasedVersion,
    SourceError,
)


class ContainerImageArgs(TypedDict):
    """Arguments of :class:`ContainerImage`."""

    name: str
    """``registry/repository``, without a tag."""
    service: str
    """Name of the service."""
    image: ImageSettings
    """Platforms and build options."""
    registry: RegistrySettings
    """Registry to push to, with its credentials if it requires any."""
    builder: BuilderSettings
    release: ReleasedVersion
    """Version of the image. With a digest, the image is already published and is not built."""
    source: NotRequired[str | None]
    """Source folder, relative to the project. Required without a digest."""


class ContainerImage(pulumi.ComponentResource):
    """One version of an image.

    A version with a digest is not built again, so that newer source is never published as an older
    version.
    """

    digest: pulumi.Output[str]
    """Digest of the image, ``sha256:…``."""
    reference: pulumi.Output[str]
    """``registry/repository:version@digest``. The digest determines the image that is pulled."""

    def __init__(
        self, name: str, args: ContainerImageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:image:ContainerImage", name, None, opts)
        release = args["release"]
        builders = {"buildkit": _build_with_buildkit, "docker": _build_with_docker}
        build = builders[args["builder"].type]
        tag = f"{args['name']}:{release.version}"
        if release.digest:
            self.digest = pulumi.Output.from_input(release.digest)
        else:
            # A later release or rollback refers to the published image by its digest.
            retained = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
            self.digest = build(f"{name}-image", tag, args, retained)
        self.reference = pulumi.Output.concat(tag, "@", self.digest)
        self.register_outputs({"digest": self.digest, "reference": self.reference})


def _build_with_buildkit(
    name: str, tag: str, args: ContainerImageArgs, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    import pulumi_docker_build as docker_build  # noqa: PLC0415  # no plugin needed with a digest

    build = _image_build(args)
    is_default = build.dockerfile == f"{build.context}/Dockerfile"
    cache = f"{args['name']}:buildcache"
    registry_cache = args["builder"].cache == "registry"
    login = args["registry"].credentials
    built = docker_build.Image(
        name,
        context={"location": build.context},
        dockerfile=None if is_default else {"location": build.dockerfile},
        target=build.target,
        build_args=build.arguments,
        secrets={key: _secret(value) for key, value in build.secrets.items()} or None,
        platforms=[docker_build.Platform(platform) for platform in args["image"].platforms],
        tags=[tag],
        push=True,
        build_on_preview=False,
        cache_from=[{"registry": {"ref": cache}}] if registry_cache else [],
        cache_to=[
            # As an image manifest, BuildKit's default: Amazon ECR refuses the provider's default.
            {"registry": {"ref": cache, "mode": docker_build.CacheMode.MAX, "image_manifest": True}}
        ]
        if registry_cache
        else [],
        registries=[
            {
                "address": args["registry"].host,
                "username": login.username,
                "password": _secret(login.password),
            }
        ]
        if login
        else [],
        opts=opts,
    )
    # The preview of a changed source returns an empty digest instead of an unknown one.
    return built.digest.apply(lambda digest: digest or cast(str, UNKNOWN))


def _build_with_docker(
    name: str, tag: str, args: ContainerImageArgs, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    import pulumi_docker as docker  # noqa: PLC0415  # no plugin needed with a digest

    build = _image_build(args)
    is_default = build.dockerfile == f"{build.context}/Dockerfile"
    platforms, login = args["image"].platforms, args["registry"].credentials
    built = docker.Image(
        name,
        image_name=tag,
        build={
            "context": build.context,
            "dockerfile": None if is_default else build.dockerfile,
            "target": build.target,
            "args": build.arguments,
            "builder_version": docker.BuilderVersion.BUILDER_BUILD_KIT,
            "platform": platforms[0] if platforms else None,
        },
        registry={
            "server": args["registry"].host,
            "username": login.username,
            "password": _secret(login.password),
        }
        if login
        else None,
        build_on_preview=False,
        opts=opts,
    )
    return built.repo_digest.apply(lambda digest: digest.rpartition("@")[2])


def _image_build(args: ContainerImageArgs) -> ImageBuild:
    service, version, source = args["service"], args["release"].version, args.get("source")
    if source is None:
        raise ValueError(f"{service} {version} has neither a digest nor a source")
    try:
        return ImageBuild.of(source, version, service, args["image"].build, args["builder"])
    except SourceError as error:
        raise ValueError(f"{service}: {error}") from None


def _secret(value: SecretStr) -> pulumi.Output[str]:
    return pulumi.Output.secret(value.get_secret_value())
