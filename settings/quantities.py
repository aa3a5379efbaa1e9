"""Kubernetes quantities, Go durations and ``IntOrPercent``."""

import re
from decimal import Decimal
from typing import Annotated

from settings.int_or_string import IntOrString
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


IntOrPercent = Annotated[
    int | str,
    IntOrString(
        "a number of pods, or a percentage from 0% to 100% in quotes",
        minimum=0,
        maximum=1000,
        pattern="(100|[1-9]?[0-9])%",
    ),
]


def scaled_value(value: int | str, total: int, *, round_up: bool = True) -> int:
    """Number of pods of an ``IntOrPercent``. A percentage is of ``total`` pods.

    Kubernetes rounds ``maxSurge`` up and the ``maxUnavailable`` of a Deployment down.
    """
    if isinstance(value, int):
        return value
    product = total * int(value.rstrip("%"))
    return -(-product // 100) if round_up else product // 100
