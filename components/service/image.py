"""Container image: built from the working tree and pushed, or already published."""

from typing import NotRequired, TypedDict

import pulumi

from settings import BuilderSettings, ImageSettings, RegistrySettings, ReleasedVersion


class ContainerImageArgs(TypedDict):
    """Arguments of :class:`ContainerImage`."""

    name: str
    """``registry/repository``, without a tag."""
    image: ImageSettings
    """Build options."""
    registry: RegistrySettings
    """Registry to push to, with its credentials if it requires any."""
    builder: BuilderSettings
    release: ReleasedVersion
    """Version of the image. With a digest, the image is already published and is not built."""
    context: NotRequired[str | None]
    """Build context with a Dockerfile. Required without a digest."""


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

    image, login = args["image"], args["registry"].credentials
    cache = f"{args['name']}:buildcache"
    registry_cache = args["builder"].cache == "registry"
    built = docker_build.Image(
        name,
        context={"location": _context(args)},
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
                "address": args["registry"].host,
                "username": login.username,
                "password": pulumi.Output.secret(login.password.get_secret_value()),
            }
        ]
        if login
        else [],
        opts=opts,
    )
    return built.digest


def _build_with_docker(
    name: str, tag: str, args: ContainerImageArgs, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    import pulumi_docker as docker  # noqa: PLC0415  # no plugin needed with a digest

    image, login = args["image"], args["registry"].credentials
    built = docker.Image(
        name,
        image_name=tag,
        build={
            "context": _context(args),
            "args": _build_args(args),
            "builder_version": docker.BuilderVersion.BUILDER_BUILD_KIT,
            "platform": image.platforms[0] if image.platforms else None,
        },
        registry={
            "server": args["registry"].host,
            "username": login.username,
            "password": pulumi.Output.secret(login.password.get_secret_value()),
        }
        if login
        else None,
        build_on_preview=False,
        opts=opts,
    )
    return built.repo_digest.apply(lambda digest: digest.rpartition("@")[2])


def _context(args: ContainerImageArgs) -> str:
    if context := args.get("context"):
        return context
    raise ValueError(f"{args['name']} {args['release'].version} has neither a digest nor a context")


def _build_args(args: ContainerImageArgs) -> dict[str, pulumi.Input[str]]:
    return {**args["image"].build_args, "VERSION": args["release"].version}
