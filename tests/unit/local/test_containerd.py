"""CNI plugins of the pods' network."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from local import containerd
from local.layout import Layout

PREVIOUS = {
    "cniVersion": "0.4.0",
    "interfaces": [
        {"name": "slipway0", "mac": "0a:01"},
        {"name": "eth0", "mac": "0a:02", "sandbox": "/run/netns/pod"},
    ],
    "ips": [{"version": "4", "interface": 1, "address": "10.244.0.130/24"}],
}


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the installed plugins, with one of Debian's."""
    debian = tmp_path / "debian"
    debian.mkdir()
    (debian / "bridge").touch()
    monkeypatch.setattr(containerd, "_PLUGINS", debian)
    paths = Layout(tmp_path / "home")
    containerd.install_plugins(paths)
    containerd.install_plugins(paths)
    return paths.cni / "bin"


def run(plugins: Path, command: str, fake: Path) -> str:
    """Run the plugin with a fake of `nsenter`, as the container runtime does."""
    config = {"name": "slipway", "type": "announcement", "prevResult": PREVIOUS}
    return subprocess.run(
        [plugins / "announcement"],
        env={
            "PATH": f"{fake}:{os.environ['PATH']}",
            "CNI_COMMAND": command,
            "CNI_NETNS": "/run/netns/pod",
            "CNI_IFNAME": "eth0",
        },
        input=json.dumps(config),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_address_of_a_new_pod_is_announced_and_the_result_kept(
    plugins: Path, tmp_path: Path
) -> None:
    fake, calls = tmp_path / "nsenter", tmp_path / "calls"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    fake.chmod(0o755)
    assert json.loads(run(plugins, "ADD", tmp_path)) == PREVIOUS
    announced = "--net=/run/netns/pod ip link set dev eth0 address 0a:02\n"
    assert calls.read_text() == announced
    assert run(plugins, "DEL", tmp_path) == ""
    assert calls.read_text() == announced


def test_the_plugins_of_debian_are_used_too(plugins: Path, tmp_path: Path) -> None:
    assert (plugins / "bridge").resolve() == tmp_path / "debian" / "bridge"
