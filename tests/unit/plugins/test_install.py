"""The plugins are where the CLI looks for them, with the versions that the SDKs ask for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from plugins.install import install, required_plugins

PYTHON = Path(sys.executable)
PACKAGES = next(Path(sys.prefix).glob("lib/python3*/site-packages"))


def version(name: str) -> str:
    file = PACKAGES / f"pulumi_{name.replace('-', '_')}/pulumi-plugin.json"
    return json.loads(file.read_text())["version"]


def test_every_provider_has_the_version_of_its_sdk(tmp_path):
    install(tmp_path, PYTHON)
    names = {folder.name for folder in tmp_path.iterdir()}
    assert names >= {
        f"resource-{name}-v{version(name)}" for name in ("kubernetes", "random", "docker-build")
    }
    assert any(name.startswith("language-python-v") for name in names)


def test_each_folder_holds_the_executable_that_the_cli_runs(tmp_path):
    install(tmp_path, PYTHON)
    for folder in tmp_path.iterdir():
        name = folder.name.rpartition("-v")[0]
        executable = folder / f"pulumi-{name}"
        assert executable.stat().st_mode & 0o111 == 0o111


def test_an_sdk_without_a_stand_in_gets_none(tmp_path):
    install(tmp_path, PYTHON)
    assert not list(tmp_path.glob("resource-docker-v*"))
    assert "docker" in dict(required_plugins(PACKAGES))


def test_installing_again_changes_nothing(tmp_path):
    def files():
        return {file: file.stat().st_ino for file in tmp_path.rglob("*") if file.is_file()}

    install(tmp_path, PYTHON)
    before = files()
    install(tmp_path, PYTHON)
    assert files() == before


def test_another_checkout_takes_the_plugins_over(tmp_path):
    install(tmp_path, PYTHON)
    (executable,) = tmp_path.glob("resource-random-*/pulumi-resource-random")
    executable.write_text("#!/bin/sh\nexec /elsewhere\n")
    install(tmp_path, PYTHON)
    assert "/elsewhere" not in executable.read_text()


@pytest.mark.parametrize("plugin", ["resource-random", "resource-docker-build", "language-python"])
def test_an_installed_plugin_starts_from_any_folder_and_tells_its_port(tmp_path, plugin):
    install(tmp_path / "with a space", PYTHON)
    (executable,) = tmp_path.glob(f"*/{plugin}-v*/pulumi-{plugin}")
    with subprocess.Popen(
        [executable, "127.0.0.1:1"], cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdin
        assert int(process.stdout.readline()) > 0
        process.stdin.close()
        assert process.wait(timeout=10) == 0
