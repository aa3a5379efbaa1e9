"""Container image: built by BuildKit or Docker, or already published."""

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from components.service.image import ContainerImage
from components.service.image_build import GO_DOCKERFILE
from settings import (
    BuilderSettings,
    BuildSettings,
    ImageSettings,
    RegistryCredentials,
    RegistrySettings,
    ReleasedVersion,
    stack_file,
)
from tests.unit.harness import DIGEST, Registry, run, value_of
from tests.unit.stacks import DIGEST as PUBLISHED
from tests.unit.stacks import needs_example

pytestmark = needs_example

Builder = Literal["buildkit", "docker"]
both_builders = pytest.mark.parametrize("builder", ["buildkit", "docker"])

PASSWORD = "a$b\"c\\d'e#f%g@h+i:j é\N{SNOWMAN}"  # every character that tools quote


def container_image(
    *,
    digest: str | None = None,
    builder: Builder = "buildkit",
    cache: Literal["builder", "registry"] = "builder",
    credentials: RegistryCredentials | None = None,
    source: str | None = "app",
    platforms: tuple[Literal["linux/amd64", "linux/arm64"], ...] = (),
    **build: Any,
) -> ContainerImage:
    settings = BuildSettings.model_construct(**build)
    return ContainerImage(
        "beacon",
        {
            "name": "localhost:5000/slipway/beacon",
            "service": "beacon",
            "image": ImageSettings(platforms=platforms, build=settings),
            "registry": RegistrySettings.model_construct(
                host="localhost:5000", credentials=credentials
            ),
            "builder": BuilderSettings(type=builder, cache=cache),
            "release": ReleasedVersion(version="1.2.3", digest=digest),
            "source": source,
        },
    )


def built(**arguments: Any) -> Registry:
    return run(lambda: container_image(**arguments))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source folder ``shop`` with a Go module and without a Dockerfile."""
    monkeypatch.setattr(stack_file, "PROJECT_FOLDER", tmp_path)
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "go.mod").write_text("module example.com/shop\n")
    (folder / "main.go").write_text("package main\n\nvar version string\n")
    return folder


@both_builders
def test_the_reference_of_a_built_image_contains_the_pushed_digest(builder: Builder) -> None:
    assert value_of(lambda: container_image(builder=builder).digest) == DIGEST
    reference = value_of(lambda: container_image(builder=builder).reference)
    assert reference == f"localhost:5000/slipway/beacon:1.2.3@{DIGEST}"


@both_builders
def test_a_published_version_is_not_built(builder: Builder) -> None:
    published = {"builder": builder, "digest": PUBLISHED, "source": None}
    assert built(**published).of_kind("Image") == []
    reference = value_of(lambda: container_image(**published).reference)
    assert reference == f"localhost:5000/slipway/beacon:1.2.3@{PUBLISHED}"


@both_builders
def test_an_image_is_not_built_by_preview_and_is_retained_on_delete(builder: Builder) -> None:
    (image,) = built(builder=builder).of_kind("Image")
    assert image.inputs["buildOnPreview"] is False
    assert image.retain_on_delete


def test_buildkit_builds_the_dockerfile_of_the_source_and_pushes() -> None:
    # Exactly the inputs of earlier releases: another one would build a deployed image again.
    assert built().one("Image") == {
        "context": {"location": "app"},
        "push": True,
        "tags": ["localhost:5000/slipway/beacon:1.2.3"],
        "buildArgs": {"VERSION": "1.2.3"},
        "buildOnPreview": False,
        "cacheFrom": [],
        "cacheTo": [],
        "platforms": [],
        "registries": [],
        "network": "default",
    }


@both_builders
def test_both_builders_build_from_the_same_settings(builder: Builder, module: Path) -> None:
    (module / "build").mkdir()
    (module / "build/Dockerfile").write_text("FROM scratch\n")
    image = built(
        builder=builder,
        source="shop",
        platforms=("linux/arm64",),
        dockerfile="build/Dockerfile",
        context=".",
        target="release",
        arguments={"GOPROXY": "direct"},
    ).one("Image")
    arguments = {"VERSION": "1.2.3", "GOPROXY": "direct"}
    if builder == "buildkit":
        assert image["context"] == {"location": "."}
        assert image["dockerfile"] == {"location": "shop/build/Dockerfile"}
        assert image["target"] == "release"
        assert image["platforms"] == ["linux/arm64"]
        assert image["buildArgs"] == arguments
    else:
        assert image["imageName"] == "localhost:5000/slipway/beacon:1.2.3"
        assert image["build"] == {
            "context": ".",
            "dockerfile": "shop/build/Dockerfile",
            "target": "release",
            "platform": "linux/arm64",
            "args": arguments,
            "builderVersion": "BuilderBuildKit",
        }


@pytest.mark.usefixtures("module")
def test_a_module_without_a_dockerfile_is_built_with_provenance() -> None:
    image = built(source="shop", tags=("netgo", "postgres")).one("Image")
    assert image["context"] == {"location": "shop"}
    assert image["dockerfile"] == {"location": GO_DOCKERFILE}
    assert image["buildArgs"] == {
        "BUILDKIT_ATTEST_PROVENANCE": "mode=max",
        "TAGS": "netgo,postgres",
        "VERSION": "1.2.3",
        "VERSION_VARIABLE": "main.version",
    }


@pytest.mark.usefixtures("module")
def test_docker_builds_a_module_without_a_dockerfile() -> None:
    image = built(source="shop", builder="docker").one("Image")
    assert image["build"]["dockerfile"] == GO_DOCKERFILE
    assert image["build"]["args"] == {"VERSION": "1.2.3", "VERSION_VARIABLE": "main.version"}


@pytest.mark.usefixtures("module")
def test_cgo_compiles_for_a_base_image_with_a_c_library() -> None:
    image = built(source="shop", cgo=True, base_image="debian:13-slim", provenance="none")
    assert image.one("Image")["buildArgs"] == {
        "BASE_IMAGE": "debian:13-slim",
        "CGO_ENABLED": "1",
        "VERSION": "1.2.3",
        "VERSION_VARIABLE": "main.version",
    }


def test_attestations_are_requested_from_buildkit() -> None:
    generator = "docker/buildkit-syft-scanner:stable-1"
    image = built(provenance="min", sbom_generator=generator).one("Image")
    assert image["buildArgs"] == {
        "BUILDKIT_ATTEST_PROVENANCE": "mode=min",
        "BUILDKIT_ATTEST_SBOM": f"generator={generator}",
        "VERSION": "1.2.3",
    }


def test_buildkit_can_cache_layers_in_the_registry(module: Path) -> None:
    image = built(cache="registry", source="shop").one("Image")
    ref = "localhost:5000/slipway/beacon:buildcache"
    assert image["cacheFrom"] == [{"registry": {"ref": ref}}]
    assert image["cacheTo"] == [{"registry": {"ref": ref, "mode": "max", "imageManifest": True}}]
    assert image["buildArgs"]["MODULES"] == "layer"
    (module / "vendor").mkdir()
    assert "MODULES" not in built(cache="registry", source="shop").one("Image")["buildArgs"]


def test_build_secrets_are_secret_inputs_and_not_arguments() -> None:
    image = built(secrets={"netrc": SecretStr(PASSWORD)})
    assert image.one("Image")["secrets"] == {"netrc": PASSWORD}
    assert image.one("Image")["buildArgs"] == {"VERSION": "1.2.3"}


@both_builders
def test_the_credentials_of_the_registry_are_passed_to_the_builder(builder: Builder) -> None:
    login = RegistryCredentials.model_construct(username="robot", password=SecretStr(PASSWORD))
    image = built(builder=builder, credentials=login).one("Image")
    credentials = {"username": "robot", "password": PASSWORD}
    if builder == "buildkit":
        assert image["registries"] == [{"address": "localhost:5000", **credentials}]
    else:
        assert image["registry"] == {"server": "localhost:5000", **credentials}


def test_a_source_that_cannot_be_built_is_refused(module: Path) -> None:
    with pytest.raises(ValueError, match=r"beacon 1.2.3 has neither a digest nor a source"):
        built(source=None)
    (module / "main.go").write_text("package shop\n")
    with pytest.raises(ValueError, match='beacon: source is "shop": use a folder with a main'):
        built(source="shop")
