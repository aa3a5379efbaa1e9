"""The image: built by one of two builders, or published already."""

from typing import Any, Literal

import pytest
from pydantic import SecretStr

from components.service.image import ContainerImage
from settings import ImageSettings, RegistryLogin, ReleasedVersion
from tests.unit.harness import DIGEST, Registry, run, value_of
from tests.unit.stacks import DIGEST as PUBLISHED

Builder = Literal["buildkit", "docker"]
BUILDERS: tuple[Builder, ...] = ("buildkit", "docker")


def container_image(digest: str | None = None, **image: Any) -> ContainerImage:
    settings = ImageSettings(registry="localhost:5000", repository="slipway/beacon", **image)
    release = ReleasedVersion(version="1.2.3", digest=digest)
    return ContainerImage("beacon", {"image": settings, "release": release})


def built(**image: Any) -> Registry:
    return run(lambda: container_image(**image))


@pytest.mark.parametrize("builder", BUILDERS)
def test_both_builders_give_the_digest_of_what_was_pushed(builder: Builder) -> None:
    assert value_of(lambda: container_image(builder=builder).digest) == DIGEST


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_workload_refers_to_the_image_by_digest(builder: Builder) -> None:
    reference = value_of(lambda: container_image(builder=builder).reference)
    assert reference == f"localhost:5000/slipway/beacon:1.2.3@{DIGEST}"


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_published_version_is_never_built_again(builder: Builder) -> None:
    assert built(builder=builder, digest=PUBLISHED).of_kind("Image") == []
    reference = value_of(lambda: container_image(builder=builder, digest=PUBLISHED).reference)
    assert reference == f"localhost:5000/slipway/beacon:1.2.3@{PUBLISHED}"


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_published_image_outlives_the_resource_that_built_it(builder: Builder) -> None:
    (image,) = built(builder=builder).of_kind("Image")
    assert image.retain_on_delete


@pytest.mark.parametrize("builder", BUILDERS)
def test_nothing_is_built_by_a_preview(builder: Builder) -> None:
    assert built(builder=builder).one("Image")["buildOnPreview"] is False


def test_buildkit_builds_the_version_for_every_platform_and_pushes_it() -> None:
    image = built(platforms=("linux/amd64", "linux/arm64"), build_args={"GOPROXY": "direct"}).one(
        "Image"
    )
    assert image["context"] == {"location": "app"}
    assert image["push"] is True
    assert image["tags"] == ["localhost:5000/slipway/beacon:1.2.3"]
    assert image["platforms"] == ["linux/amd64", "linux/arm64"]
    assert image["buildArgs"] == {"VERSION": "1.2.3", "GOPROXY": "direct"}


def test_docker_builds_the_same_from_the_same_settings() -> None:
    image = built(
        builder="docker", platforms=("linux/arm64",), build_args={"GOPROXY": "direct"}
    ).one("Image")
    assert image["imageName"] == "localhost:5000/slipway/beacon:1.2.3"
    assert image["build"]["context"] == "app"
    assert image["build"]["platform"] == "linux/arm64"
    assert image["build"]["args"] == {"VERSION": "1.2.3", "GOPROXY": "direct"}


def test_layers_are_cached_in_the_registry_where_builders_start_empty() -> None:
    image = built(cache="registry").one("Image")
    layers = "localhost:5000/slipway/beacon:buildcache"
    assert image["cacheFrom"] == [{"registry": {"ref": layers}}]
    assert image["cacheTo"] == [{"registry": {"ref": layers, "mode": "max"}}]


@pytest.mark.parametrize("builder", BUILDERS)
def test_the_registry_is_logged_in_to_where_it_asks_for_that(builder: Builder) -> None:
    login = RegistryLogin.model_construct(username="robot", password=SecretStr("hidden"))
    image = built(builder=builder, login=login).one("Image")
    given = image["registries"][0] if builder == "buildkit" else image["registry"]
    address = given["address" if builder == "buildkit" else "server"]
    assert (address, given["username"], given["password"]) == ("localhost:5000", "robot", "hidden")
