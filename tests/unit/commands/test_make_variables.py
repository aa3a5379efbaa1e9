"""Values of the Makefile's variables."""

import pytest

from commands.errors import CommandError
from commands.make_variables import (
    parse_duration,
    parse_flag,
    parse_integer,
    parse_trace_id,
)


def test_a_flag_is_on_with_1_and_off_without_a_value() -> None:
    assert parse_flag("FORCE", "1")
    assert not parse_flag("FORCE", "")


@pytest.mark.parametrize("value", ["0", "no", "false", "yes", " "])
def test_any_other_flag_is_refused(value: str) -> None:
    with pytest.raises(CommandError, match=f"FORCE={value}: use 1, or leave it out"):
        parse_flag("FORCE", value)


def test_an_integer_is_within_its_bounds() -> None:
    assert [parse_integer("WEIGHT", value, 0, 100) for value in ("0", "7", "100")] == [0, 7, 100]


@pytest.mark.parametrize(
    "value", ["", "-1", "101", "ten", "1_0", "010", "+1", " 1", "\u0661\u0660", "²"]
)
def test_any_other_integer_is_refused(value: str) -> None:
    with pytest.raises(CommandError, match=r"WEIGHT=.*: use a whole number from 0 to 100"):
        parse_integer("WEIGHT", value, 0, 100)


def test_a_duration_is_a_number_and_a_unit() -> None:
    seconds = [parse_duration("SINCE", value) for value in ("90s", "15m", "2h", "7d")]
    assert seconds == [90, 900, 7200, 604800]


@pytest.mark.parametrize("value", ["", "15", "m", "0m", "1.5h", "-1h", "1w", "1h\n"])
def test_any_other_duration_is_refused(value: str) -> None:
    with pytest.raises(CommandError, match="SINCE="):
        parse_duration("SINCE", value)


@pytest.mark.parametrize("value", ["abc", "A" * 32, '" or true', "0" * 33])
def test_a_trace_id_has_32_hexadecimal_digits(value: str) -> None:
    assert parse_trace_id("0123456789abcdef" * 2)
    with pytest.raises(CommandError, match="32 hexadecimal digits"):
        parse_trace_id(value)
