"""Text of a certain form: quantities, durations, names, versions.

Each form says in words what it allows. The words stand once: in errors, and in the JSON schema,
where editors show them too.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr, ValidationInfo
from pydantic_core import CoreSchema, core_schema

JsonSchema = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """Text that matches ``pattern``, is at most ``longest`` characters and passes ``check``."""

    allowed: str
    pattern: str
    longest: int = 253
    check: Callable[[str], bool] = lambda _: True

    def matches(self, text: str) -> bool:
        """Whether ``text`` has this form."""
        fits = len(text) <= self.longest and re.fullmatch(self.pattern, text) is not None
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
    ) -> JsonSchema:
        return {
            **handler(schema),
            "pattern": f"^{self.pattern}$",
            "maxLength": self.longest,
            "patternErrorMessage": f"use {self.allowed}",
        }


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_PREFIXED_NAME = r"([a-z0-9]([-.a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?"
_NUMBER = r"[0-9]+(\.[0-9]+)?"


def _is_host_name(text: str) -> bool:
    labels = text.split(".")
    is_address = labels[-1].isdigit()
    return not is_address and all(len(label) <= 63 for label in labels)  # noqa: PLR2004


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


DnsLabel = Annotated[
    str, Form("a DNS label: at most 63 of a-z, 0-9 and -, like beacon-dev", _LABEL, 63)
]
OWN_NAMESPACE = Form(
    "a namespace of its own: at most 63 of a-z, 0-9 and -, not default and not kube-…",
    rf"(?!default$|kube-){_LABEL}",
    63,
)
OwnNamespace = Annotated[str, OWN_NAMESPACE]
# Deployments, Services and HPAs are named after the service: `-stable` has to fit beside it.
ServiceName = Annotated[
    str,
    Form(
        "a DNS label: at most 50 of a-z, 0-9 and -, beginning with a letter",
        f"(?=[a-z]){_LABEL}",
        50,
    ),
]
HostName = Annotated[
    str,
    Form(
        "a DNS name in lower case, like beacon.example.com",
        rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*",
        check=_is_host_name,
    ),
]
UrlPath = Annotated[str, Form("a path that begins with /, like /api", r"/[A-Za-z0-9._~/-]*", 1024)]
HeaderName = Annotated[
    str, Form("an HTTP header or cookie name, like X-Canary", r"[A-Za-z0-9][A-Za-z0-9_-]*", 64)
]
LabelKey = Annotated[
    str, Form("a label key, like disktype or kubernetes.io/os", _PREFIXED_NAME, 317)
]
LabelValue = Annotated[
    str,
    Form(
        "a label value: at most 63 of A-Z, a-z, 0-9, -, _ and .",
        r"([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?",
        63,
    ),
]
BuildArgument = Annotated[
    str, Form("a build argument's name in upper case, like GOPROXY", r"[A-Z][A-Z0-9_]*", 100)
]
MetricName = Annotated[
    str, Form("a metric's name, like http_requests_in_flight", r"[a-zA-Z_:][a-zA-Z0-9_:]*", 200)
]
Registry = Annotated[
    str,
    Form(
        "a registry's host and port without a scheme, like ghcr.io or localhost:5000",
        rf"{_LABEL}(\.{_LABEL})*(:[0-9]{{1,5}})?",
        check=lambda host: int(f"0{host.partition(':')[2]}") <= 65535,  # noqa: PLR2004
    ),
]
Repository = Annotated[
    str,
    Form(
        "a repository path in lower case without registry, tag or digest, like slipway/beacon",
        r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*",
        200,
    ),
]
Url = Annotated[
    str,
    Form(
        "a URL without user and password, like https://example.com/path",
        r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?]([!-$&-~]|%[0-9A-Fa-f]{2})*)?",
        1024,
        _is_url,
    ),
]
HostPort = Annotated[
    str,
    Form(
        "a host and a port, like kafka:9092",
        rf"{_LABEL}(\.{_LABEL})*:[0-9]{{1,5}}",
        253,
        lambda text: 0 < int(text.rpartition(":")[2]) < 2**16,
    ),
]
KafkaTopic = Annotated[
    str, Form("a topic: letters, digits, ., _ and -, like logs", r"[A-Za-z0-9._-]+", 249)
]
ElasticsearchIndex = Annotated[
    str,
    Form(
        "an index in lower case: letters, digits, ., _ and -, like logs",
        r"[a-z0-9][a-z0-9._-]*",
        100,
    ),
]
# Build metadata (`+…`) is left out: an image tag cannot hold it.
VERSION = Form(
    "MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRERELEASE, like 1.4.0 or 1.4.0-rc.1, in quotes",
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]*[0-9A-Za-z](\.[0-9A-Za-z-]*[0-9A-Za-z])*)?",
    63,
)
Version = Annotated[str, VERSION]
Digest = Annotated[str, Form("sha256: and 64 hexadecimal digits", r"sha256:[0-9a-f]{64}", 71)]


_UNITS = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "Ki": Decimal(2**10),
    "M": Decimal(10**6),
    "Mi": Decimal(2**20),
    "G": Decimal(10**9),
    "Gi": Decimal(2**30),
    "T": Decimal(10**12),
    "Ti": Decimal(2**40),
}


def amount(quantity: str) -> Decimal:
    """A Kubernetes quantity as a number: cores for CPU, bytes for memory."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity).groups()  # type: ignore[union-attr]
    return Decimal(number) * _UNITS[unit]


def mebibytes(number: Decimal) -> str:
    """Bytes as a quantity in Mi, rounded up."""
    return f"{-(-number // 2**20):f}Mi"


Cpu = Annotated[
    str,
    Form(
        "CPU cores or millicores of at least 1m, in quotes, like '500m' or '2'",
        rf"({_NUMBER}|[0-9]+m)",
        20,
        lambda text: amount(text) >= Decimal("0.001"),
    ),
]
# `m` and no unit at all are valid in Kubernetes, and always a mistake.
Memory = Annotated[
    str,
    Form(
        "bytes with a unit of Ki, Mi, Gi, Ti, k, M, G or T, like '512Mi'",
        rf"{_NUMBER}(Ki|Mi|Gi|Ti|k|M|G|T)",
        20,
        lambda text: amount(text) > 0,
    ),
]

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = rf"({_NUMBER}(ms|s|m|h))+"


def seconds(duration: str) -> float:
    """A duration as Go writes it, ``1m30s``, in seconds."""
    parts = re.findall(rf"({_NUMBER})(ms|s|m|h)", duration)
    return sum(float(number) * _DURATION_UNITS[unit] for number, _, unit in parts)


def duration(shortest: str, longest: str) -> Form:
    """The form of a duration between two bounds, both allowed."""
    low, high = seconds(shortest), seconds(longest)
    return Form(
        f"a duration from {shortest} to {longest}, like 1.5s",
        _DURATION,
        20,
        lambda text: low <= seconds(text) <= high,
    )


class _CountOrShare:
    """A number of pods, or a percentage of them."""

    allowed = "a number of pods, or a percentage from 0% to 100% in quotes"
    _share = re.compile(r"(100|[1-9]?[0-9])%")

    def _validate(self, value: object) -> int | str:
        is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1000  # noqa: PLR2004
        if is_count or (isinstance(value, str) and self._share.fullmatch(value)):
            return value  # type: ignore[return-value]
        raise ValueError(self.allowed)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        return {
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": 1000,
            "pattern": f"^{self._share.pattern}$",
            "patternErrorMessage": f"use {self.allowed}",
        }


CountOrShare = Annotated[int | str, _CountOrShare()]


def count(value: int | str, of: int) -> int:
    """The number of pods that a count or a percentage of ``of`` pods is, rounded up."""
    return value if isinstance(value, int) else -(-of * int(value.rstrip("%")) // 100)


def count_down(value: int | str, of: int) -> int:
    """The same, rounded down: Kubernetes does so with pods that a rollout takes away."""
    return value if isinstance(value, int) else of * int(value.rstrip("%")) // 100


DECRYPTED: Final = object()
"""Validation context: the engine has decrypted the values already."""


class _Secret:
    """A value that a stack file holds encrypted, and the program gets decrypted."""

    allowed = "an encrypted value: set it with `pulumi config set --secret --path`"

    def _validate(self, value: object, info: ValidationInfo) -> SecretStr:
        match value:
            case {"secure": str(), **rest} if not rest:
                return SecretStr("(encrypted)")
            case str() if value and info.context is DECRYPTED:
                return SecretStr(value)
        raise ValueError(self.allowed)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        return {
            "type": "object",
            "properties": {"secure": {"type": "string"}},
            "required": ["secure"],
            "additionalProperties": False,
            "writeOnly": True,
            "patternErrorMessage": f"use {self.allowed}",
        }


Secret = Annotated[SecretStr, _Secret()]
