"""A source of an image, and the image that BuildKit builds of it."""

import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.buildx import buildx
from components.service.image_build import ImageBuild
from settings import BuilderSettings, BuildSettings
from settings.stack_file import PROJECT_FOLDER

IN_TOTO = "in-toto.io/predicate-type"


@dataclass(frozen=True)
class Image:
    """An image in the OCI layout."""

    folder: Path

    @property
    def index(self) -> Any:
        return self._blob(json.loads((self.folder / "index.json").read_text())["manifests"][0])

    @property
    def manifests(self) -> list[Any]:
        index = self.index
        return [self._blob(one) for one in index["manifests"]] if "manifests" in index else [index]

    @property
    def config(self) -> Any:
        return self._blob(self.manifests[0]["config"])["config"]

    @property
    def size(self) -> int:
        """Bytes that a registry stores."""
        manifest = self.manifests[0]
        return sum(one["size"] for one in (manifest["config"], *manifest["layers"]))

    @property
    def attestations(self) -> set[str]:
        """Types of the statements that are attached to the image."""
        _, attached = self.manifests
        return {layer["annotations"][IN_TOTO] for layer in attached["layers"]}

    def extract(self, target: Path) -> dict[str, int]:
        """Extract the files of the image; return their modes."""
        for layer in self.manifests[0]["layers"]:
            with tarfile.open(self._path(layer)) as archive:
                archive.extractall(target, filter="fully_trusted")  # noqa: S202  # built by this test
        return {
            str(path.relative_to(target)): stat.S_IMODE(path.stat().st_mode)
            for path in target.rglob("*")
        }

    def _blob(self, descriptor: Mapping[str, str]) -> Any:
        return json.loads(self._path(descriptor).read_text())

    def _path(self, descriptor: Mapping[str, str]) -> Path:
        return self.folder / "blobs" / descriptor["digest"].replace(":", "/")


@dataclass(frozen=True)
class Source:
    """A source folder, and the environment variables of its builds.

    ``out`` is the folder of the images; by default, the one that contains ``folder``.
    """

    folder: Path
    environment: Mapping[str, str]
    out: Path | None = None

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def build(
        self,
        out: str,
        *options: str,
        folder: str = ".",
        registry_cache: bool = False,
        **keys: Any,
    ) -> Image:
        """Build the source as the program does; ``options`` are of buildx."""
        settings = BuildSettings(**keys)
        builder = BuilderSettings(cache="registry" if registry_cache else "builder")
        relative = os.path.relpath(self.folder / folder, PROJECT_FOLDER)
        build = ImageBuild.of(relative, "1.2.3", "shop", settings, builder)
        target = (self.out or self.folder.parent) / out
        arguments = [f"--build-arg={name}={value}" for name, value in build.arguments.items()]
        subprocess.run(
            [
                *(*buildx(self.environment), "build", "--provenance=false"),
                *("--file", build.dockerfile, *arguments, *options),
                *("--output", f"type=oci,tar=false,dest={target}", build.context),
            ],
            cwd=PROJECT_FOLDER,
            env=self.environment,
            check=True,
        )
        return Image(target)
