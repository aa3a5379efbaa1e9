"""Images built by BuildKit: with and without a Dockerfile, attestations, registry cache."""

import secrets
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands.buildx import registry_cache
from commands.go import Go
from local import images, layout
from local.base_image import BUSYBOX
from local.layout import Layout
from settings.stack_file import PROJECT_FOLDER
from tests.cluster.empty_builder import empty_builder
from tests.cluster.image_source import Image, Source
from tests.cluster.module_proxy import ModuleProxy
from tests.cluster.project import needs_slow

MAIN = """\
package main

import (
	"fmt"
	"time"
)

var version = "unknown"

func main() {
	_, err := time.LoadLocation("Europe/Berlin")
	fmt.Println(version, err)
}
"""
WITH_LIBRARY = """\
package main

import (
	"fmt"

	"example.com/lib"
)

func main() { fmt.Println(lib.Name) }
"""
WITH_PROFILE = """\
package main

import (
	"crypto/sha256"
	"os"
	"runtime/pprof"
	"time"
)

func main() {
	_ = pprof.StartCPUProfile(os.Stdout)
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
		sha256.Sum256(make([]byte, 1<<20))
	}
	pprof.StopCPUProfile()
}
"""
"""Prints a profile of its own, in the format of ``/debug/pprof/profile``."""
DOCKERFILE = """\
FROM golang:1.26 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -o /shop .
FROM scratch
COPY --from=build /shop /shop
"""
PROVENANCE = "https://slsa.dev/provenance/v1"
SPDX = "https://spdx.dev/Document"
SCAN = """\
name=$(basename "$BUILDKIT_SCAN_SOURCE")
printf '{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "%s", "predicate": {}}' \\
  SPDX > "$BUILDKIT_SCAN_DESTINATION/$name.spdx.json"
""".replace("SPDX", SPDX)
"""A generator of SBOMs without content, by BuildKit's protocol for generators."""


def new_source(folder: Path, environment: Mapping[str, str]) -> Source:
    """A module in a subfolder of ``folder``."""
    made = Source(folder / "source", environment)
    made.write("go.mod", "module example.com/shop\n\ngo 1.26\n")
    made.write("main.go", MAIN)
    return made


@pytest.fixture
def source(cluster_environment: Mapping[str, str], tmp_path: Path) -> Source:
    return new_source(tmp_path, cluster_environment)


@pytest.fixture(scope="module")
def image(
    cluster_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Image:
    """The image of the unchanged module."""
    return new_source(tmp_path_factory.mktemp("image"), cluster_environment).build("image")


def build_settings(program: Path) -> dict[str, str]:
    """Settings of the build that a Go program contains."""
    shown = Go().run("version", "-m", str(program)).stdout
    lines = [line.split("\t") for line in shown.splitlines()]
    settings = [line[2] for line in lines if line[1:2] == ["build"]]
    return dict(one.split("=", 1) for one in settings)


def output_of(image: Image, folder: Path) -> str:
    """Return the output of the program of an image."""
    image.extract(folder)
    return subprocess.run([folder / "app"], capture_output=True, text=True, check=True).stdout


def test_an_image_has_the_program_certificates_and_a_user_and_nothing_else(
    image: Image, tmp_path: Path
) -> None:
    assert image.config["User"] == "65532:65532"
    assert image.config["Entrypoint"] == ["/app"]
    assert image.config["Labels"] == {"org.opencontainers.image.version": "1.2.3"}
    modes = image.extract(tmp_path / "root")
    files = {name for name in modes if (tmp_path / "root" / name).is_file()}
    certificates = "etc/ssl/certs/ca-certificates.crt"
    assert files == {"app", certificates, "etc/passwd", "etc/group"}
    assert modes["tmp"] == 0o1777
    assert b"BEGIN CERTIFICATE" in (tmp_path / "root" / certificates).read_bytes()


def test_the_program_knows_its_version_and_time_zones(image: Image, tmp_path: Path) -> None:
    assert output_of(image, tmp_path / "root") == "1.2.3 <nil>\n"


def test_the_provenance_is_attached_to_the_image(image: Image) -> None:
    assert image.attestations == {PROVENANCE}


def test_provenance_and_sbom_are_attached_to_an_image_with_its_own_dockerfile(
    source: Source,
) -> None:
    generator = images.Image(
        repository="slipway/test-sbom-generator",
        key=SCAN,
        content={"/bin/busybox": BUSYBOX, "/scan": SCAN.encode()},
        links={f"/bin/{applet}": "busybox" for applet in ("basename", "sh")},
        entrypoint=["/bin/sh", "/scan"],
        environment={"PATH": "/bin"},
        user="0:0",
    )
    images.push(Layout(), generator)
    source.write("Dockerfile", DOCKERFILE)
    image = source.build("image", provenance="max", sbom_generator=generator.reference)
    assert image.attestations == {PROVENANCE, SPDX}


def test_the_example_has_less_than_10_mb_and_no_shell(
    cluster_environment: Mapping[str, str], tmp_path: Path
) -> None:
    """It has metrics and traces. Its files are owned by root, so its user cannot change them."""
    source = Source(PROJECT_FOLDER / "app", cluster_environment, out=tmp_path)
    image = source.build("image", provenance="none")
    assert image.size < 10_000_000
    assert image.config["User"] == "65532:65532"
    root = tmp_path / "root"
    modes = image.extract(root)
    assert {name for name in modes if (root / name).is_file()} == {
        "beacon",
        "etc/ssl/certs/ca-certificates.crt",
        "etc/passwd",
        "etc/group",
    }
    assert {name for name, mode in modes.items() if mode & stat.S_IWOTH} == {"tmp"}
    assert "timetzdata" in build_settings(root / "beacon")["-tags"].split(",")


@needs_slow
def test_a_profile_beside_the_main_package_optimizes_the_program(
    source: Source, tmp_path: Path
) -> None:
    source.write("main.go", WITH_PROFILE)
    image = source.build("image")
    image.extract(tmp_path / "root")
    app = tmp_path / "root" / "app"
    assert "-pgo" not in build_settings(app)
    profile = subprocess.run([app], capture_output=True, check=True).stdout
    (source.folder / "default.pgo").write_bytes(profile)
    source.build("optimized").extract(tmp_path / "optimized")
    assert build_settings(tmp_path / "optimized" / "app")["-pgo"] == "default.pgo"


@needs_slow
def test_an_empty_builder_downloads_no_module_that_the_registry_cache_has(
    source: Source, tmp_path: Path
) -> None:
    """As in CI, where every job has a new builder."""
    cache = [*registry_cache(f"{layout.REGISTRY}/slipway/test-{secrets.token_hex(4)}")]
    with ModuleProxy(tmp_path / "proxy") as proxy:
        proxy.add("example.com/lib", "v1.0.0", 'package lib\n\nconst Name = "from lib"\n')
        go_mod = "module example.com/shop\n\ngo 1.26\n\nrequire example.com/lib v1.0.0\n"
        source.write("go.mod", go_mod)
        source.write("go.sum", proxy.checksums)
        source.write("main.go", WITH_LIBRARY)
        keys: dict[str, Any] = {
            "registry_cache": True,
            "provenance": "none",
            "arguments": {"GOPROXY": proxy.url, "GONOSUMDB": "example.com"},
        }
        first = source.build("first", *cache, **keys)
        assert proxy.requests
        proxy.requests.clear()
        with empty_builder(tmp_path / "builder", source.environment) as environment:
            other = replace(source, environment=environment)
            # With the times of the first build: no step ran again.
            assert other.build("second", *cache, **keys).index == first.index
            source.write("main.go", WITH_LIBRARY.replace("lib.Name", '"edited", lib.Name'))
            edited = other.build("edited", *cache, **keys)
        shutil.rmtree(tmp_path / "builder")
        assert output_of(edited, tmp_path / "root") == "edited from lib\n"
        assert proxy.requests == []


def test_tests_and_history_are_not_part_of_the_build(source: Source) -> None:
    before = source.build("before", provenance="none").index
    source.write("main_test.go", "package main\n")
    source.write(".git/HEAD", "ref: refs/heads/main\n")
    assert source.build("after", provenance="none").index == before


def test_an_image_is_cross_compiled_for_each_platform(source: Source, tmp_path: Path) -> None:
    image = source.build(
        "image", "--platform=linux/amd64,linux/arm64", registry_cache=True, provenance="none"
    )
    assert len(image.manifests) == 2


@pytest.mark.parametrize("registry_cache", [False, True])
def test_a_module_of_a_workspace_is_built_with_the_others(
    source: Source, tmp_path: Path, registry_cache: bool
) -> None:
    source.write("go.work", "go 1.26\n\nuse (\n\t./lib\n\t./services/shop\n)\n")
    source.write("lib/go.mod", "module example.com/lib\n\ngo 1.26\n")
    source.write("lib/lib.go", 'package lib\n\nconst Name = "from lib"\n')
    source.write("services/shop/go.mod", "module example.com/shop/service\n\ngo 1.26\n")
    source.write("services/shop/cmd/shop/main.go", WITH_LIBRARY)
    image = source.build("image", folder="services/shop", registry_cache=registry_cache)
    assert output_of(image, tmp_path / "root") == "from lib\n"


def test_a_source_with_a_vendor_folder_is_built_without_downloads(
    source: Source, tmp_path: Path
) -> None:
    source.write("go.mod", "module example.com/shop\n\ngo 1.26\n\nrequire example.com/lib v1.0.0\n")
    source.write("main.go", WITH_LIBRARY)
    source.write("vendor/example.com/lib/lib.go", 'package lib\n\nconst Name = "vendored"\n')
    listed = "# example.com/lib v1.0.0\n## explicit; go 1.26\nexample.com/lib\n"
    source.write("vendor/modules.txt", listed)
    image = source.build("image", registry_cache=True, arguments={"GOPROXY": "off"})
    assert output_of(image, tmp_path / "root") == "vendored\n"
