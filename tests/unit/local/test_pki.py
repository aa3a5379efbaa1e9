"""The cluster's certificates."""

import datetime
import shutil
import ssl
import stat
import subprocess

import pytest
import yaml
from cryptography import x509

from local import layout, pki
from local.layout import Layout


@pytest.fixture
def at(tmp_path):
    made = Layout(tmp_path)
    pki.ensure(made)
    return made


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_second_run_changes_nothing(at):
    before = contents(at.pki) | {"kubeconfig": at.kubeconfig.read_bytes()}
    pki.ensure(at)
    assert contents(at.pki) | {"kubeconfig": at.kubeconfig.read_bytes()} == before


def test_only_the_owner_reads_keys_and_kubeconfigs(at):
    private = [*at.pki.glob("*.key"), *at.pki.glob("*.kubeconfig"), at.kubeconfig]
    assert len(private) > 10
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert stat.S_IMODE(at.pki.stat().st_mode) == 0o700


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
@pytest.mark.parametrize("name", [who.file for who in (*pki.IDENTITIES, *pki.CLIENTS, pki.ADMIN)])
def test_openssl_accepts_every_certificate_for_its_purpose(at, name):
    who = next(each for each in (*pki.IDENTITIES, *pki.CLIENTS, pki.ADMIN) if each.file == name)
    purpose = "sslserver" if who.addresses else "sslclient"
    checked = subprocess.run(
        [
            *("openssl", "verify", "-x509_strict", "-purpose", purpose),
            *("-CAfile", at.pki / f"{who.authority}.crt", at.pki / f"{name}.crt"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_python_loads_each_certificate_with_its_key(at):
    for certificate in at.pki.glob("*.crt"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))


def test_a_certificate_near_its_end_is_made_again_and_no_other(at, monkeypatch):
    others = {name: data for name, data in contents(at.pki).items() if not name.startswith("kubel")}
    left = pki.RENEWED_BEFORE - datetime.timedelta(days=1)
    monkeypatch.setattr(pki, "LIFETIME", left)
    (at.pki / "kubelet.crt").unlink()
    pki.ensure(at)
    short = (at.pki / "kubelet.crt").read_bytes()
    monkeypatch.undo()
    pki.ensure(at)
    assert (at.pki / "kubelet.crt").read_bytes() != short
    assert {name: contents(at.pki)[name] for name in others} == others


def test_a_new_authority_makes_all_that_it_signs_anew(at):
    before = (at.pki / "apiserver.crt").read_bytes()
    (at.pki / "ca.key").unlink()
    pki.ensure(at)
    authority = x509.load_pem_x509_certificate((at.pki / "ca.crt").read_bytes())
    for name in ("apiserver", "kubelet", "admin"):
        signed = x509.load_pem_x509_certificate((at.pki / f"{name}.crt").read_bytes())
        signed.verify_directly_issued_by(authority)
    assert (at.pki / "apiserver.crt").read_bytes() != before


def test_a_key_of_another_certificate_is_noticed(at):
    shutil.copy(at.pki / "scheduler.key", at.pki / "apiserver.key")
    pki.ensure(at)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(at.pki / "apiserver.crt", at.pki / "apiserver.key")


def test_the_kubeconfig_leads_to_the_api_server_with_the_current_key(at):
    config = yaml.safe_load(at.kubeconfig.read_text())
    assert config["clusters"][0]["cluster"]["server"] == layout.API_SERVER
    assert config["current-context"] == config["contexts"][0]["name"]
    (at.pki / "admin.key").unlink()
    pki.ensure(at)
    assert yaml.safe_load(at.kubeconfig.read_text())["users"] != config["users"]
