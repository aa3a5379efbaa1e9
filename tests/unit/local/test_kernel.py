"""Kernel settings that containers need."""

import subprocess

import pytest

from local import kernel
from local.errors import LocalError

PRIVATE = "23 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
SHARED = "23 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
BELOW = "25 23 0:5 / /proc rw shared:12 - proc proc rw\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Kernel files in a temporary folder; returns the commands that were run."""
    monkeypatch.setattr(kernel, "_INOTIFY", tmp_path)
    monkeypatch.setattr(kernel, "_MOUNTS", tmp_path / "mountinfo")
    (tmp_path / "mountinfo").write_text(SHARED)
    commands = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(kernel.subprocess, "run", run)
    return commands


@pytest.mark.parametrize(("before", "after"), [("128\n", "1024"), ("8192\n", "8192\n")])
def test_an_inotify_limit_is_raised_and_never_lowered(before, after, machine, tmp_path):
    (tmp_path / "max_user_instances").write_text(before)
    kernel.configure()
    assert (tmp_path / "max_user_instances").read_text() == after


@pytest.mark.parametrize(
    ("mounts", "changed"),
    [(PRIVATE, True), (PRIVATE + BELOW, True), (SHARED, False), (PRIVATE + SHARED, False)],
    ids=["private", "something below is shared", "shared", "covered by a shared one"],
)
def test_a_private_root_mount_is_made_shared(mounts, changed, machine, tmp_path):
    (tmp_path / "mountinfo").write_text(mounts)
    kernel.configure()
    assert machine == ([["mount", "--make-rshared", "/"]] if changed else [])


def test_a_refused_mount_is_reported(machine, tmp_path, monkeypatch):
    (tmp_path / "mountinfo").write_text(PRIVATE)
    denied = subprocess.CompletedProcess([], 1, "", "permission denied")
    monkeypatch.setattr(kernel.subprocess, "run", lambda *_, **__: denied)
    with pytest.raises(LocalError, match=r"make-rshared.*permission denied"):
        kernel.configure()
