"""Certificates of the cluster, with a fake kubeadm."""

import datetime
import itertools
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from local import layout, pki
from local.errors import LocalError
from local.layout import Layout

GENERATED = ("ca.crt", "ca.key", "sa.key", "sa.pub", "apiserver.crt", "apiserver.key")
KUBECONFIGS = ("super-admin.conf", "kubelet.conf")


@pytest.fixture
def commands(monkeypatch):
    """Commands of kubeadm that were run. Like kubeadm, the fake one keeps files that exist."""
    run: list[list[str]] = []
    serial = itertools.count()

    def kubeadm(command, **_):
        run.append(command[1:])
        options = dict(word.split("=", 1) for word in command[1:] if word.startswith("--"))
        config = list(yaml.safe_load_all(Path(options["--config"]).read_text()))[1]
        folder = Path(config["certificatesDir"])
        names = {"certs": GENERATED, "kubeconfig": KUBECONFIGS}.get(command[3], ())
        for name in names:
            if not (folder / name).exists():
                (folder / name).write_text(f"{name} {next(serial)}")
        return subprocess.CompletedProcess(command, 0, f"kubeconfig {next(serial)}", "")

    monkeypatch.setattr(pki.subprocess, "run", kubeadm)
    return run


@pytest.fixture
def paths(tmp_path, commands):
    created = Layout(tmp_path)
    pki.ensure(created)
    assert len(commands) == 4
    commands.clear()
    return created


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_current_certificates_are_kept(paths, commands):
    before = contents(paths.pki)
    pki.ensure(paths)
    assert commands == []
    assert contents(paths.pki) == before


def test_the_folder_and_the_kubeconfigs_are_private(paths):
    assert stat.S_IMODE(paths.pki.stat().st_mode) == 0o700
    users = [paths.pki / f"{name}.conf" for name in ("kube-proxy", "kube-router")]
    for path in (paths.kubeconfig, *users):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert paths.kubeconfig.read_text() == (paths.pki / "super-admin.conf").read_text()


@pytest.mark.parametrize("change", ["missing file", "new user", "near expiry", "configuration"])
def test_certificates_are_renewed_and_their_authority_kept(change, paths, commands, monkeypatch):
    before = contents(paths.pki)
    match change:
        case "missing file":
            (paths.pki / "kubelet.conf").unlink()
        case "new user":
            monkeypatch.setitem(pki._USERS, "proxy", "system:proxy")
        case "near expiry":
            later = pki._today() + pki._VALIDITY - datetime.timedelta(days=179)
            monkeypatch.setattr(pki, "_today", lambda: later)
        case "configuration":
            monkeypatch.setattr(layout, "CLUSTER_DOMAIN", "example.internal")
    pki.ensure(paths)
    after = contents(paths.pki)
    for name in ("apiserver.crt", "kubelet.conf", "kube-proxy.conf"):
        assert after[name] != before[name]
    for name in ("ca.crt", "ca.key", "sa.key"):
        assert after[name] == before[name]


def test_a_cluster_from_before_kubeadm_keeps_its_service_account_key(tmp_path, commands):
    paths = Layout(tmp_path)
    paths.pki.mkdir(parents=True)
    (paths.pki / "service-accounts.key").write_text("former")
    (paths.pki / "kubelet-server.crt").write_text("former")
    pki.ensure(paths)
    assert (paths.pki / "sa.key").read_text() == "former"
    assert not (paths.pki / "kubelet-server.crt").exists()


def test_an_error_of_kubeadm_is_quoted(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "the CA has expired")
    monkeypatch.setattr(pki.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(LocalError, match="the CA has expired"):
        pki.ensure(Layout(tmp_path))
