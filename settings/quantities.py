"""Kubernetes quantities, Go durations and ``IntOrPercent``."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from settings.string_formats import StringFormat

_NUMBER = r"[0-9]+(\.[0-9]+)?"
_SUFFIXES = {
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


def parse_quantity(quantity: str) -> Decimal:
    """Parse a Kubernetes quantity: cores for CPU, bytes for memory."""
    number, suffix = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity).groups()  # type: ignore[union-attr]
    return Decimal(number) * _SUFFIXES[suffix]


def format_mebibytes(size: Decimal) -> str:
    """Format bytes as a quantity in Mi, rounded up."""
    return f"{-(-size // 2**20):f}Mi"


Cpu = Annotated[
    str,
    StringFormat(
        "CPU cores or millicores of at least 1m, in quotes, like '500m' or '2'",
        rf"({_NUMBER}|[0-9]+m)",
        20,
        lambda text: parse_quantity(text) >= Decimal("0.001"),
    ),
]
# Kubernetes also accepts memory in `m` or without a suffix, which is always a mistake.
Memory = Annotated[
    str,
    StringFormat(
        "bytes with a suffix of Ki, Mi, Gi, Ti, k, M, G or T, like '512Mi'",
        rf"{_NUMBER}(Ki|Mi|Gi|Ti|k|M|G|T)",
        20,
        lambda text: parse_quantity(text) > 0,
    ),
]

_DURATION_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}


def duration_seconds(duration: str) -> float:
    """Parse a Go duration like ``1m30s`` into seconds."""
    parts = re.findall(rf"({_NUMBER})({'|'.join(_DURATION_UNITS)})", duration)
    return sum(float(number) * _DURATION_UNITS[unit] for number, _, unit in parts)


def duration_format(minimum: str, maximum: str) -> StringFormat:
    """Format of a Go duration within inclusive bounds."""
    low, high = duration_seconds(minimum), duration_seconds(maximum)
    return StringFormat(
        f"a duration from {minimum} to {maximum}, like 1.5s",
        rf"({_NUMBER}(ms|s|m|h))+",
        20,
        lambda text: low <= duration_seconds(text) <= high,
    )


class _IntOrPercent:
    """A number of pods, or a percentage of them."""

    allowed = "a number of pods, or a percentage from 0% to 100% in quotes"
    _percentage = re.compile(r"(100|[1-9]?[0-9])%")

    def _validate(self, value: object) -> int | str:
        is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1000  # noqa: PLR2004
        if is_count or (isinstance(value, str) and self._percentage.fullmatch(value)):
            return value  # type: ignore[return-value]
        raise ValueError(self.allowed)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": 1000,
            "pattern": f"^{self._percentage.pattern}$",
            "patternErrorMessage": f"use {self.allowed}",
        }


IntOrPercent = Annotated[int | str, _IntOrPercent()]


def scaled_value(value: int | str, total: int, *, round_up: bool = True) -> int:
    """Number of pods of an ``IntOrPercent``. A percentage is of ``total`` pods.

    Kubernetes rounds ``maxSurge`` up and the ``maxUnavailable`` of a Deployment down.
    """
    if isinstance(value, int):
        return value
    product = total * int(value.rstrip("%"))
    return -(-product // 100) if round_up else product // 100
