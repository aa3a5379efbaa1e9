"""Values of the Makefile's variables, as the user typed them."""

import re

from commands.errors import CommandError

# `int` and `str.isdigit` accept the digits of all scripts.
_INTEGER = re.compile(r"0|[1-9][0-9]{0,9}")
_DURATION = re.compile(r"([1-9][0-9]{0,4})(s|m|h|d)")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


def parse_flag(name: str, value: str) -> bool:
    """Return True for ``1`` and False for an empty value.

    Raises :class:`CommandError` for anything else: ``FORCE=no`` must not force.
    """
    if value not in ("", "1"):
        raise CommandError(f"{name}={value}: use 1, or leave it out")
    return value == "1"


def parse_integer(name: str, value: str, minimum: int, maximum: int) -> int:
    """Return a whole number within inclusive bounds. Raises :class:`CommandError`."""
    if _INTEGER.fullmatch(value) and minimum <= int(value) <= maximum:
        return int(value)
    raise CommandError(f"{name}={value}: use a whole number from {minimum} to {maximum}")


def parse_duration(name: str, value: str) -> int:
    """Return a duration such as ``15m`` in seconds. Raises :class:`CommandError`."""
    found = _DURATION.fullmatch(value)
    if not found:
        raise CommandError(f"{name}={value}: use a number and s, m, h or d, like 15m")
    return int(found[1]) * _UNIT_SECONDS[found[2]]


def parse_trace_id(value: str) -> str:
    """Return the value of ``TRACE`` if it is a trace ID. Raises :class:`CommandError`."""
    if not _TRACE_ID.fullmatch(value):
        raise CommandError(f"TRACE={value}: use the 32 hexadecimal digits of a trace ID")
    return value
