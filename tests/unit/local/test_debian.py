"""Installation of Debian packages."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from local import debian
from local.errors import LocalError
from local.layout import Layout


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Path of policy-rc.d on a machine where all packages are missing."""
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(debian, "_POLICY", path)
    monkeypatch.setattr(debian, "PACKAGES", {"containerd": tmp_path / "containerd"})
    monkeypatch.setattr(debian.shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(debian.os, "geteuid", lambda: 0)
    return path


def installed(monkeypatch: pytest.MonkeyPatch, policy: Path, packages: Sequence[str]) -> list[str]:
    """Contents of policy-rc.d during the installation."""
    found: list[str] = []

    def apt(_: object, *arguments: str) -> bool:
        if "install" in arguments:
            found.append(policy.read_text())
        return True

    monkeypatch.setattr(debian, "_apt", apt)
    debian.install(Layout(), packages, lambda _: None)
    return found


def test_no_service_starts_while_packages_are_installed(policy, monkeypatch) -> None:
    (found,) = installed(monkeypatch, policy, ["gcc"])
    assert "exit 101" in found
    assert not policy.exists()


def test_the_policy_file_of_an_interrupted_run_is_removed(policy, monkeypatch) -> None:
    policy.write_text(debian._DENY_START)
    installed(monkeypatch, policy, ["gcc"])
    assert not policy.exists()


def test_an_existing_policy_file_is_kept(policy, monkeypatch) -> None:
    policy.write_text("#!/bin/sh\nexit 0\n")
    assert installed(monkeypatch, policy, ["gcc"]) == ["#!/bin/sh\nexit 0\n"]
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_a_package_that_is_not_installed_is_named(policy, monkeypatch) -> None:
    with pytest.raises(LocalError, match="did not install containerd"):
        installed(monkeypatch, policy, ["containerd", "gcc"])


def test_another_user_than_root_gets_the_command_for_root(policy, monkeypatch) -> None:
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)
    with pytest.raises(LocalError, match="apt-get install gcc"):
        installed(monkeypatch, policy, ["gcc"])
