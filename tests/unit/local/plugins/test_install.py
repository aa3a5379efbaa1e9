"""Installation of the plugins into a Pulumi home."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from local.layout import CHECKOUT, Layout
from local.plugins.install import install

PACKAGES = Path(sysconfig.get_path("purelib"))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A home in which the providers are built."""
    layout = Layout(tmp_path / "home with a space")
    layout.providers.mkdir(parents=True)
    for name in ("docker-build", "kubernetes"):
        program = layout.providers / f"pulumi-resource-{name}"
        program.write_text(f"#!/bin/sh\necho {name}\n")
        program.chmod(0o755)
    return layout


def required_version(name: str) -> str:
    file = PACKAGES / f"pulumi_{name.replace('-', '_')}/pulumi-plugin.json"
    return json.loads(file.read_text())["version"]


@pytest.mark.parametrize("name", ["docker-build", "kubernetes", "random"])
def test_a_provider_is_installed_in_the_version_that_its_sdk_requires(
    layout: Layout, name: str
) -> None:
    install(layout, layout.plugins)
    folder = layout.plugins / f"resource-{name}-v{required_version(name)}"
    assert (folder / f"pulumi-resource-{name}").stat().st_mode & 0o111 == 0o111


def test_installing_again_replaces_only_what_changed(layout: Layout) -> None:
    def inodes() -> dict[Path, int]:
        return {file: file.stat().st_ino for file in layout.plugins.rglob("*") if file.is_file()}

    install(layout, layout.plugins)
    before = inodes()
    install(layout, layout.plugins)
    assert inodes() == before
    changed = layout.providers / "pulumi-resource-kubernetes"
    changed.unlink()
    changed.write_text("another version")
    install(layout, layout.plugins)
    assert [file.name for file, inode in inodes().items() if before[file] != inode] == [
        "pulumi-resource-kubernetes"
    ]


@pytest.mark.parametrize("plugin", ["resource-random", "language-python"])
def test_a_plugin_runs_after_the_checkout_that_installed_it_is_deleted(
    layout: Layout, tmp_path: Path, plugin: str
) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(CHECKOUT / "local", checkout / "local")
    (checkout / "requirements.txt").symlink_to(CHECKOUT / "requirements.txt")
    script = (
        "from pathlib import Path; from local.layout import Layout;"
        "from local.plugins.install import install;"
        f"install(Layout(Path({str(layout.root)!r})), Path({str(layout.plugins)!r}))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=checkout, check=True)
    shutil.rmtree(checkout)

    (program,) = layout.plugins.glob(f"{plugin}-v*/pulumi-{plugin}")
    for file in program.parent.rglob("*"):
        assert not file.is_symlink()
        if file.suffix in ("", ".py"):
            assert file.is_dir() or str(checkout) not in file.read_text(errors="replace")
    with subprocess.Popen(
        [program, "127.0.0.1:1"], cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdin
        assert int(process.stdout.readline()) > 0
        process.stdin.close()
        assert process.wait(timeout=10) == 0


@pytest.mark.parametrize("plugin", ["resource-random", "language-python"])
def test_a_plugin_uses_the_compiled_protobuf(layout: Layout, plugin: str) -> None:
    install(layout, layout.plugins)
    (folder,) = layout.plugins.glob(f"{plugin}-v*")
    script = "from google.protobuf.internal import api_implementation as used; print(used.Type())"
    # As in the plugin, nothing but its folder and the standard library.
    used = subprocess.run(
        [sys.executable, "-ES", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert used.stdout == "upb\n"
