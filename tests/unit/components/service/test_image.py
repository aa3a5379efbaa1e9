"""Container image: built by BuildKit or Docker, or already published."""

from typing import Any, Literal

import pytest
from pydantic import SecretStr

from components.service.image import ContainerImage
from settings import (
    BuilderSettings,
    ImageSettings,
    RegistryCredentials,
    RegistrySettings,
    ReleasedVersion,
)
from tests.unit.harness import DIGEST, Registry, run, value_of
from tests.unit.stacks import DIGEST as PUBLISHED

Builder = Literal["buildkit", "docker"]
both_builders = pytest.mark.parametrize("builder", ["buildkit", "docker"])


def container_image(
    digest: str | None = None,
    builder: Builder = "buildkit",
    cache: Literal["builder", "registry"] = "builder",
    credentials: RegistryCredentials | None = None,
    **image: Any,
) -> ContainerImage:
    return ContainerImage(
        "beacon",
        {
            "name": "localhost:5000/slipway/beacon",
            "image": ImageSettings(**image),
            "registry": RegistrySettings.model_construct(
                host="localhost:5000", credentials=credentials
            ),
            "builder": BuilderSettings(type=builder, cache=cache),
            "release": ReleasedVersion(version="1.2.3", digest=digest),
            "context": "app",
        },
    )


def built(**image: Any) -> Registry:
    return run(lambda: container_image(**image))


@both_builders
def test_the_reference_of_a_built_image_contains_the_pushed_digest(builder: Builder) -> None:
    assert value_of(lambda: container_image(builder=builder).digest) == DIGEST
    reference = value_of(lambda: container_image(builder=builder).reference)
    assert reference == f"localhost:5000/slipway/beacon:1.2.3@{DIGEST}"


@both_builders
def test_a_published_version_is_not_built(builder: Builder) -> None:
    assert built(builder=builder, digest=PUBLISHED).of_kind("Image") == []
    reference = value_of(lambda: container_image(builder=builder, digest=PUBLISHED).reference)
    assert reference == f"localhost:5000/slipway/beacon:1.2.3@{PUBLISHED}"


@both_builders
def test_an_image_is_not_built_by_preview_and_is_retained_on_delete(builder: Builder) -> None:
    (image,) = built(builder=builder).of_kind("Image")
    assert image.inputs["buildOnPreview"] is False
    assert image.retain_on_delete


def test_buildkit_builds_for_all_platforms_and_pushes() -> None:
    image = built(platforms=("linux/amd64", "linux/arm64"), build_args={"GOPROXY": "direct"}).one(
        "Image"
    )
    assert image["context"] == {"location": "app"}
    assert image["push"] is True
    assert image["tags"] == ["localhost:5000/slipway/beacon:1.2.3"]
    assert image["platforms"] == ["linux/amd64", "linux/arm64"]
    assert image["buildArgs"] == {"VERSION": "1.2.3", "GOPROXY": "direct"}


def test_docker_builds_from_the_same_settings() -> None:
    image = built(
        builder="docker", platforms=("linux/arm64",), build_args={"GOPROXY": "direct"}
    ).one("Image")
    assert image["imageName"] == "localhost:5000/slipway/beacon:1.2.3"
    assert image["build"]["context"] == "app"
    assert image["build"]["platform"] == "linux/arm64"
    assert image["build"]["args"] == {"VERSION": "1.2.3", "GOPROXY": "direct"}


def test_buildkit_can_cache_layers_in_the_registry() -> None:
    image = built(cache="registry").one("Image")
    ref = "localhost:5000/slipway/beacon:buildcache"
    assert image["cacheFrom"] == [{"registry": {"ref": ref}}]
    assert image["cacheTo"] == [{"registry": {"ref": ref, "mode": "max"}}]


@both_builders
def test_the_credentials_of_the_registry_are_passed_to_the_builder(builder: Builder) -> None:
    login = RegistryCredentials.model_construct(username="robot", password=SecretStr("hidden"))
    image = built(builder=builder, credentials=login).one("Image")
    if builder == "buildkit":
        assert image["registries"] == [
            {"address": "localhost:5000", "username": "robot", "password": "hidden"}
        ]
    else:
        assert image["registry"] == {
            "server": "localhost:5000",
            "username": "robot",
            "password": "hidden",
        }
