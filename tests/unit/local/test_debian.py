"""Packages are installed, and nothing else is changed on the machine."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from local import debian
from local.errors import LocalError
from local.layout import Layout


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Debian looks whether services may start, on a machine that lacks all packages."""
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(debian, "_NO_DAEMONS", path)
    monkeypatch.setattr(debian, "PACKAGES", {"containerd": tmp_path / "containerd"})
    monkeypatch.setattr(debian.shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(debian.os, "geteuid", lambda: 0)
    return path


def installed(monkeypatch: pytest.MonkeyPatch, policy: Path, packages: Sequence[str]) -> list[str]:
    """What Debian found there while it installed."""
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


def test_what_a_run_left_that_was_cut_off_is_removed(policy, monkeypatch) -> None:
    policy.write_text(debian._OURS)
    installed(monkeypatch, policy, ["gcc"])
    assert not policy.exists()


def test_somebody_elses_word_on_services_stays(policy, monkeypatch) -> None:
    policy.write_text("#!/bin/sh\nexit 0\n")
    assert installed(monkeypatch, policy, ["gcc"]) == ["#!/bin/sh\nexit 0\n"]
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_a_package_that_did_not_come_is_named(policy, monkeypatch) -> None:
    with pytest.raises(LocalError, match="did not install containerd"):
        installed(monkeypatch, policy, ["containerd", "gcc"])


def test_only_root_is_asked_to_install(policy, monkeypatch) -> None:
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)
    with pytest.raises(LocalError, match="apt-get install gcc"):
        installed(monkeypatch, policy, ["gcc"])
