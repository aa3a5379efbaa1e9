"""The cluster's certificates and kubeconfigs: made once, kept, and made again near their end."""

import datetime
import ipaddress
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local import files, layout
from local.layout import Layout

CA_LIFETIME = datetime.timedelta(days=3650)
LIFETIME = datetime.timedelta(days=1095)
RENEWED_BEFORE = datetime.timedelta(days=180)
"""A certificate with less than this left is made again by the next `up`."""

_CLOCK_SKEW = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Identity:
    """Who a certificate speaks for. `addresses` make it a server's too."""

    file: str
    common_name: str
    organization: str | None = None
    addresses: Sequence[str] = ()
    authority: str = "ca"


NODE = Identity("kubelet", f"system:node:{layout.NODE_NAME}", "system:nodes")

IDENTITIES = (
    Identity(
        "apiserver",
        "kube-apiserver",
        addresses=(
            layout.NODE_IP,
            layout.API_SERVICE_IP,
            "127.0.0.1",
            "localhost",
            layout.NODE_NAME,
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            f"kubernetes.default.svc.{layout.CLUSTER_DOMAIN}",
        ),
    ),
    Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
    Identity("kubelet-server", NODE.common_name, addresses=(layout.NODE_IP, layout.NODE_NAME)),
    Identity("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
)

CLIENTS = (
    NODE,
    Identity("controller-manager", "system:kube-controller-manager"),
    Identity("scheduler", "system:kube-scheduler"),
    Identity("kube-proxy", "system:kube-proxy"),
)

ADMIN = Identity("admin", "slipway-admin", "system:masters")


class Authority:
    """A self-signed certificate and its key, which sign all others."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.crt"
        key_path = folder / f"{name}.key"
        if not (self.path.exists() and key_path.exists() and _fresh(_certificate(self.path))):
            key = ec.generate_private_key(ec.SECP256R1())
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"slipway-{name}")])
            builder = _builder(subject, subject, key.public_key(), CA_LIFETIME)
            builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
            builder = builder.add_extension(_key_usage(authority=True), critical=True)
            builder = builder.add_extension(_key_identifier(key), critical=False)
            _write_key(key_path, key)
            files.write(self.path, _pem(builder.sign(key, hashes.SHA256())))
        self.certificate = _certificate(self.path)
        loaded = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)  # noqa: S101 - written above
        self._key = loaded

    def issue(self, folder: Path, who: Identity) -> None:
        """Writes `<file>.crt` and `<file>.key` unless good ones are there."""
        path, key_path = folder / f"{who.file}.crt", folder / f"{who.file}.key"
        if path.exists() and key_path.exists() and self._stands_for(path, key_path, who):
            return
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.subject
        builder = _builder(_subject(who), issuer, key.public_key(), LIFETIME)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        builder = builder.add_extension(_key_usage(authority=False), critical=True)
        builder = builder.add_extension(_key_identifier(key), critical=False)
        builder = builder.add_extension(_issuer_identifier(self._key), critical=False)
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if who.addresses:
            uses.append(ExtendedKeyUsageOID.SERVER_AUTH)
            builder = builder.add_extension(_names(who.addresses), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        # The key goes first: a crash in between leaves a pair that does not match, seen below.
        _write_key(key_path, key)
        files.write(path, _pem(builder.sign(self._key, hashes.SHA256())))

    def _stands_for(self, path: Path, key_path: Path, who: Identity) -> bool:
        certificate = _certificate(path)
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        if key.public_key() != certificate.public_key():
            return False
        try:
            certificate.verify_directly_issued_by(self.certificate)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            addresses = names.value
        except (ValueError, InvalidSignature):
            return False
        except x509.ExtensionNotFound:
            addresses = None
        wanted = _names(who.addresses) if who.addresses else None
        return _fresh(certificate) and certificate.subject == _subject(who) and addresses == wanted


def ensure(at: Layout) -> None:
    """Makes whatever is missing, foreign or near its end; touches nothing else."""
    folder = files.private_folder(at.pki)
    authorities = {name: Authority(folder, name) for name in ("ca", "front-proxy-ca")}
    for who in (*IDENTITIES, *CLIENTS, ADMIN):
        authorities[who.authority].issue(folder, who)
    for who in CLIENTS:
        _kubeconfig(at, who, folder / f"{who.file}.kubeconfig")
    _kubeconfig(at, ADMIN, at.kubeconfig)
    _service_account_key(folder)


def _service_account_key(folder: Path) -> None:
    """The key pair that signs service account tokens and checks them."""
    path = folder / "service-accounts.key"
    if not path.exists():
        _write_key(path, ec.generate_private_key(ec.SECP256R1()))
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    files.write(folder / "service-accounts.pub", public)


def _kubeconfig(at: Layout, who: Identity, path: Path) -> None:
    def data(file: str) -> str:
        return b64encode((at.pki / file).read_bytes()).decode()

    cluster = {"server": layout.API_SERVER, "certificate-authority-data": data("ca.crt")}
    user = {
        "client-certificate-data": data(f"{who.file}.crt"),
        "client-key-data": data(f"{who.file}.key"),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "slipway", "cluster": cluster}],
        "users": [{"name": who.common_name, "user": user}],
        "contexts": [
            {"name": "slipway", "context": {"cluster": "slipway", "user": who.common_name}}
        ],
        "current-context": "slipway",
    }
    files.write(path, yaml.safe_dump(config, sort_keys=False), files.PRIVATE)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + life)
    )


def _subject(who: Identity) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, who.common_name)]
    if who.organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, who.organization))
    return x509.Name(attributes)


def _names(addresses: Sequence[str]) -> x509.SubjectAlternativeName:
    def name(address: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(address))
        except ValueError:
            return x509.DNSName(address)

    return x509.SubjectAlternativeName([name(address) for address in addresses])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_identifier(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _issuer_identifier(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _fresh(certificate: x509.Certificate) -> bool:
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return left > RENEWED_BEFORE


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    files.write(path, pem, files.PRIVATE)
