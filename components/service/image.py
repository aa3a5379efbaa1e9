"""Container image: built from the working tree and pushed, or already published."""

from typing import NotRequired, TypedDict

import pulumi

from settings import ImageSettings, ReleasedVersion


class ContainerImageArgs(TypedDict):
    """Arguments of :class:`ContainerImage`."""

    image: ImageSettings
    """Registry, repository and build options."""
    release: ReleasedVersion
    """Version of the image. With a digest, the image is already published and is not built."""
    context: NotRequired[str]
    """Build context with a Dockerfile. Default ``app``."""


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
        image, release = args["image"], args["release"]
        build = {"buildkit": _build_with_buildkit, "docker": _build_with_docker}[image.builder]
        tag = f"{image.name}:{release.version}"
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

    image = args["image"]
    cache = f"{image.name}:buildcache"
    registry_cache = image.cache == "registry"
    built = docker_build.Image(
        name,
        context={"location": args.get("context", "app")},
        build_args=_build_args(args),
        platforms=[docker_build.Platform(platform) for platform in image.platforms],
        tags=[tag],
        push=True,
        build_on_preview=False,
        cache_from=[{"registry": {"ref": cache}}] if registry_cache else [],
        cache_to=[{"registry": {"ref": cache, "mode": docker_build.CacheMode.MAX}}]
        if registry_cache
        else [],
        registries=[
            {
                "address": image.registry,
                "username": image.credentials.username,
                "password": pulumi.Output.secret(image.credentials.password.get_secret_value()),
            }
        ]
        if image.credentials
        else [],
        opts=opts,
    )
    return built.digest


def _build_with_docker(
    name: str, tag: str, args: ContainerImageArgs, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    import pulumi_docker as docker  # noqa: PLC0415  # no plugin needed with a digest

    image = args["image"]
    built = docker.Image(
        name,
        image_name=tag,
        build={
            "context": args.get("context", "app"),
            "args": _build_args(args),
            "builder_version": docker.BuilderVersion.BUILDER_BUILD_KIT,
            "platform": image.platforms[0] if image.platforms else None,
        },
        registry={
            "server": image.registry,
            "username": image.credentials.username,
            "password": pulumi.Output.secret(image.credentials.password.get_secret_value()),
        }
        if image.credentials
        else None,
        build_on_preview=False,
        opts=opts,
    )
    return built.repo_digest.apply(lambda digest: digest.rpartition("@")[2])


def _build_args(args: ContainerImageArgs) -> dict[str, pulumi.Input[str]]:
    return {**args["image"].build_args, "VERSION": args["release"].version}
