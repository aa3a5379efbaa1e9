"""The service's image: built from the working tree and pushed, or published already."""

from typing import NotRequired, TypedDict

import pulumi

from settings import ImageSettings, ReleasedVersion


class ContainerImageArgs(TypedDict):
    """What a :class:`ContainerImage` is made from."""

    image: ImageSettings
    """Where it is published, and how it is built."""
    release: ReleasedVersion
    """Its version. With a digest it is published already, and nothing is built."""
    context: NotRequired[str]
    """Folder with the sources and the Dockerfile. Default ``app``."""


class ContainerImage(pulumi.ComponentResource):
    """One version of the image. Whoever uses it cannot tell whether it was built just now.

    A version that has a digest is never built again: newer source must not appear under an older
    version.
    """

    digest: pulumi.Output[str]
    """``sha256:…``"""
    reference: pulumi.Output[str]
    """``registry/repository:version@digest``: the digest decides, the version is for people."""

    def __init__(
        self, name: str, args: ContainerImageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:image:ContainerImage", name, None, opts)
        image, release = args["image"], args["release"]
        build = {"buildkit": _by_buildkit, "docker": _by_docker}[image.builder]
        tag = f"{image.name}:{release.version}"
        if release.digest:
            self.digest = pulumi.Output.from_input(release.digest)
        else:
            # Published for good: it is pinned, or rolled back to, after its build is forgotten.
            kept = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
            self.digest = build(f"{name}-image", tag, args, kept)
        self.reference = pulumi.Output.concat(tag, "@", self.digest)
        self.register_outputs({"digest": self.digest, "reference": self.reference})


def _by_buildkit(
    name: str, tag: str, args: ContainerImageArgs, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    import pulumi_docker_build as docker_build  # noqa: PLC0415  # only where one is built

    image = args["image"]
    layers = f"{image.name}:buildcache"
    registry_cache = image.cache == "registry"
    built = docker_build.Image(
        name,
        context={"location": args.get("context", "app")},
        build_args=_build_args(args),
        platforms=[docker_build.Platform(platform) for platform in image.platforms],
        tags=[tag],
        push=True,
        # A preview has nothing to push; the workloads wait for the digest.
        build_on_preview=False,
        cache_from=[{"registry": {"ref": layers}}] if registry_cache else [],
        cache_to=[{"registry": {"ref": layers, "mode": docker_build.CacheMode.MAX}}]
        if registry_cache
        else [],
        registries=[
            {
                "address": image.registry,
                "username": image.login.username,
                "password": pulumi.Output.secret(image.login.password.get_secret_value()),
            }
        ]
        if image.login
        else [],
        opts=opts,
    )
    return built.digest


def _by_docker(
    name: str, tag: str, args: ContainerImageArgs, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    import pulumi_docker as docker  # noqa: PLC0415  # only where one is built

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
            "username": image.login.username,
            "password": pulumi.Output.secret(image.login.password.get_secret_value()),
        }
        if image.login
        else None,
        build_on_preview=False,
        opts=opts,
    )
    return built.repo_digest.apply(lambda digest: digest.rpartition("@")[2])


def _build_args(args: ContainerImageArgs) -> dict[str, pulumi.Input[str]]:
    return {**args["image"].build_args, "VERSION": args["release"].version}
