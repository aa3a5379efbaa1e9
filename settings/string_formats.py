"""String formats: names, versions, URLs."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema


@dataclass(frozen=True)
class StringFormat:
    """Strings that match ``pattern``, have at most ``max_length`` characters and pass ``check``.

    ``allowed`` describes the format in error messages and in the JSON schema.
    """

    allowed: str
    pattern: str
    max_length: int = 253
    check: Callable[[str], bool] = lambda _: True

    def matches(self, text: str) -> bool:
        """True if ``text`` has this format."""
        fits = len(text) <= self.max_length and re.fullmatch(self.pattern, text) is not None
        return fits and self.check(text)

    def _validate(self, text: str) -> str:
        if not self.matches(text):
            raise ValueError(self.allowed)
        return text

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            **handler(schema),
            "pattern": f"^{self.pattern}$",
            "maxLength": self.max_length,
            "patternErrorMessage": f"use {self.allowed}",
        }


def check_unicode(text: str) -> str:
    """Return ``text``. Raises pydantic's error for an unpaired surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticKnownError("string_unicode") from None
    return text


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_URL_AFTER_USER = (
    r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?]([!-$&-~]|%[0-9A-Fa-f]{2})*)?"
)
_PREFIXED_NAME = r"([a-z0-9]([-.a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?"


def _is_host_name(text: str) -> bool:
    labels = text.split(".")
    is_address = labels[-1].isdigit()
    return not is_address and all(len(label) <= 63 for label in labels)  # noqa: PLR2004


def _is_cidr(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


AwsRegion = Annotated[
    str, StringFormat("a region, like eu-central-1", r"[a-z]+(-[a-z]+)+-[0-9]+", 32)
]
PemCertificates = Annotated[
    str,
    StringFormat(
        "certificates in PEM format",
        r"(-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?)+",
        65_536,
    ),
]
Cidr = Annotated[
    str,
    StringFormat(
        "an IP block in CIDR notation, like 10.0.0.0/8 or 2001:db8::/32",
        r"[0-9A-Fa-f:.]+/[0-9]{1,3}",
        50,
        _is_cidr,
    ),
]
DnsLabel = Annotated[
    str, StringFormat("a DNS label: at most 63 of a-z, 0-9 and -, like shop-dev", _LABEL, 63)
]
OWN_NAMESPACE = StringFormat(
    "a namespace of the stack's own: at most 63 of a-z, 0-9 and -, not default and not kube-…",
    rf"(?!default$|kube-){_LABEL}",
    63,
)
OwnNamespace = Annotated[str, OWN_NAMESPACE]
# Object names add a suffix such as `-stable` to the service's name.
SERVICE_NAME = StringFormat(
    "a DNS label: at most 50 of a-z, 0-9 and -, beginning with a letter", f"(?=[a-z]){_LABEL}", 50
)
ServiceName = Annotated[str, SERVICE_NAME]
SourcePath = Annotated[
    str,
    StringFormat(
        "a relative path of a folder, like app or ../shop",
        r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*",
        253,
    ),
]
HostName = Annotated[
    str,
    StringFormat(
        "a DNS name in lower case, like shop.example.com",
        rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*",
        check=_is_host_name,
    ),
]
RouteHost = Annotated[
    str,
    StringFormat(
        "a DNS name in lower case, like shop.example.com or *.example.com",
        rf"(?=.{{1,253}}$)(\*\.)?{_LABEL}(\.{_LABEL})*",
        check=_is_host_name,
    ),
]
FilePath = Annotated[
    str,
    StringFormat(
        "an absolute path without . and .., like /var/cache",
        r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._@%+=~-]+)+",
        1024,
    ),
]
RelativePath = Annotated[
    str,
    StringFormat(
        "a relative path without . and .., like data/cache",
        r"(?!\.{1,2}(/|$))[A-Za-z0-9._@%+=~-]+(/(?!\.{1,2}(/|$))[A-Za-z0-9._@%+=~-]+)*",
        1024,
    ),
]
UrlPath = Annotated[
    str, StringFormat("a path that begins with /, like /api", r"/[A-Za-z0-9._~/-]*", 1024)
]
HeaderName = Annotated[
    str,
    StringFormat("an HTTP header or cookie name, like X-Canary", r"[A-Za-z0-9][A-Za-z0-9_-]*", 64),
]
HeaderValue = Annotated[
    str,
    StringFormat(
        "letters, digits, ., _ and -, like always", r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", 64
    ),
]
GateName = Annotated[
    str,
    StringFormat(
        "a name: at most 40 of a-z, 0-9 and -, like queue-length", f"(?=[a-z]){_LABEL}", 40
    ),
]
LabelKey = Annotated[
    str, StringFormat("a label key, like disktype or kubernetes.io/os", _PREFIXED_NAME, 317)
]
LabelValue = Annotated[
    str,
    StringFormat(
        "a label value: at most 63 of A-Z, a-z, 0-9, -, _ and .",
        r"([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?",
        63,
    ),
]
BuildArgument = Annotated[
    str,
    StringFormat("a build argument's name in upper case, like GOPROXY", r"[A-Z][A-Z0-9_]*", 100),
]
BuildTag = Annotated[str, StringFormat("a Go build tag, like netgo", r"[A-Za-z0-9_.]+", 100)]
ImageReference = Annotated[
    str,
    StringFormat(
        "an image, like debian:13-slim",
        r"[a-z0-9][A-Za-z0-9._-]*(:[0-9]+/)?[A-Za-z0-9._/-]*(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?",
    ),
]
MainPackage = Annotated[
    str,
    StringFormat(
        ". or a folder below the source folder that begins with ./, like ./cmd/shop",
        r"\.(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*",
    ),
]
SourceFilePath = Annotated[
    str,
    StringFormat(
        "a path below the source folder, like build/Dockerfile",
        r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*",
    ),
]
SecretId = Annotated[
    str, StringFormat("a build secret's id, like netrc", r"[A-Za-z0-9_][A-Za-z0-9._-]*", 63)
]
StageName = Annotated[
    str, StringFormat("a build stage's name, like release", r"[a-z][a-z0-9._-]*", 63)
]
VersionVariable = Annotated[
    str,
    StringFormat(
        "main or an import path, and a variable's name, like main.version",
        r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*\.[A-Za-z_][A-Za-z0-9_]*",
        500,
    ),
]
MetricName = Annotated[
    str,
    StringFormat("a metric's name, like http_requests_in_flight", r"[a-zA-Z_:][a-zA-Z0-9_:]*", 200),
]
Registry = Annotated[
    str,
    StringFormat(
        "a registry's host and port without a scheme, like ghcr.io or localhost:5000",
        rf"{_LABEL}(\.{_LABEL})*(:[0-9]{{1,5}})?",
        check=lambda host: int(f"0{host.partition(':')[2]}") <= 65535,  # noqa: PLR2004
    ),
]
# Basic authentication separates the user name from the password by a colon.
RegistryUser = Annotated[
    str, StringFormat("a user name without a colon", r"[^:\x00-\x1f\x7f]+", 253)
]
Repository = Annotated[
    str,
    StringFormat(
        "a repository path in lower case without registry, tag or digest, like team/shop",
        r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*",
        200,
    ),
]
Url = Annotated[
    str,
    StringFormat(
        "a URL without user and password, like https://example.com/path",
        rf"https?://{_URL_AFTER_USER}",
        1024,
        _is_url,
    ),
]
HttpsUrl = Annotated[
    str,
    StringFormat(
        "an https URL without user and password, like https://example.com/path",
        rf"https://{_URL_AFTER_USER}",
        1024,
        _is_url,
    ),
]
SECRET_URL = StringFormat(
    "a URL, like https://example.com/path",
    rf"https?://([A-Za-z0-9._~!$&'()*+,;=:%-]+@)?{_URL_AFTER_USER}",
    2048,
    _is_url,
)
SECRET_TOKEN = StringFormat("ASCII characters without blanks and line breaks", r"[!-~]+", 4096)
ManifestRepository = Annotated[
    str,
    StringFormat(
        "a URL with https, http, ssh or oci and without a password, like"
        " https://github.com/example/environments.git",
        rf"(https?://|oci://|ssh://([a-z_][a-z0-9_-]*@)?){_URL_AFTER_USER}",
        1024,
        _is_url,
    ),
]
GitRevision = Annotated[
    str,
    StringFormat(
        "a branch, tag, commit or reference, like main", r"[A-Za-z0-9_][A-Za-z0-9._/+-]*", 250
    ),
]
HostPort = Annotated[
    str,
    StringFormat(
        "a host and a port, like kafka:9092",
        rf"{_LABEL}(\.{_LABEL})*:[0-9]{{1,5}}",
        253,
        lambda text: 0 < int(text.rpartition(":")[2]) < 2**16,
    ),
]
KafkaTopic = Annotated[
    str, StringFormat("a topic: letters, digits, ., _ and -, like logs", r"[A-Za-z0-9._-]+", 249)
]
ElasticsearchIndex = Annotated[
    str,
    StringFormat(
        "an index in lower case: letters, digits, ., _ and -, like logs",
        r"[a-z0-9][a-z0-9._-]*",
        100,
    ),
]
SlackChannel = Annotated[
    str,
    StringFormat(
        "a channel's ID, like C0123456789, or # and its name, like #releases",
        r"[A-Z0-9]{2,20}|#[a-z0-9_-]{1,80}",
        81,
    ),
]
# Image tags do not allow build metadata (`+…`).
VERSION = StringFormat(
    "MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRERELEASE, like 1.4.0 or 1.4.0-rc.1, in quotes",
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]*[0-9A-Za-z](\.[0-9A-Za-z-]*[0-9A-Za-z])*)?",
    63,
)
Version = Annotated[str, VERSION]
Digest = Annotated[
    str, StringFormat("sha256: and 64 hexadecimal digits", r"sha256:[0-9a-f]{64}", 71)
]
