"""``acme`` of ``slipway:certManager``."""

from collections.abc import Iterator
from typing import Annotated

from settings.env import KeyRef
from settings.errors import FieldError
from settings.one_of import one_of_errors
from settings.section import Section
from settings.string_formats import AwsRegion, PemCertificates, StringFormat, Url

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"

_Email = Annotated[
    str, StringFormat("an e-mail address, like team@example.com", r"[^@\s]+@[^@\s]+", 254)
]
_Id = Annotated[str, StringFormat("letters and digits, like Z2FDTNDATAQYW2", "[A-Za-z0-9]+", 128)]


class Route53(Section):
    """Zones in Amazon Route 53."""

    region: AwsRegion
    """AWS region."""
    hosted_zone_id: _Id | None = None
    """ID of the hosted zone. Default: the zone whose name is the longest suffix of the host."""
    access_key_id: _Id
    """ID of the access key."""
    secret_access_key: KeyRef
    """Secret access key, in a Secret of the stack's namespace."""


class Cloudflare(Section):
    """Zones of Cloudflare."""

    api_token: KeyRef
    """API token with the permissions Zone:Read and DNS:Edit, in a Secret of the stack's namespace.
    """


class Dns01(Section):
    """DNS provider for DNS-01 challenges: one of the keys."""

    route53: Route53 | None = None
    cloudflare: Cloudflare | None = None

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from one_of_errors(self, ("route53", "cloudflare"))


class AcmeSettings(Section):
    """ACME server that issues certificates, such as Let's Encrypt."""

    server: Url = LETS_ENCRYPT
    """URL of its directory. Default: Let's Encrypt."""
    email: _Email
    """Address of the account, for notices of the server."""
    ca_bundle: PemCertificates | None = None
    """CAs that the server's own certificate is verified with, in PEM. Default: public CAs."""
    dns01: Dns01 | None = None
    """DNS provider for the challenges of wildcard hosts. Other hosts have HTTP-01 challenges, which
    the proxy routes on port 80."""
