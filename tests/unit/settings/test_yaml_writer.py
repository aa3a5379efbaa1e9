"""YAML that is read back unchanged."""

from typing import Any

import pytest

from settings.yaml_reader import YamlReader
from settings.yaml_writer import to_yaml, to_yaml_line
from tests.unit.settings.test_yaml_reader import ACCEPTED, REFUSED

VALUES = [*ACCEPTED.values(), *REFUSED, 99.0, 99.9, 0.00001, "a: b", "", "# a", "two\nlines\n", "é"]


@pytest.mark.parametrize("write", [to_yaml, to_yaml_line])
def test_values_are_read_back_unchanged(write: Any) -> None:
    reader = YamlReader(is_checked=lambda _: True)
    assert reader.read(write({"key": VALUES})) == {"key": VALUES}
    assert reader.errors == []


def test_a_value_that_occurs_twice_is_written_without_an_alias() -> None:
    value = {"secure": "v1:a"}
    assert to_yaml([value, value]) == "- secure: v1:a\n- secure: v1:a\n"


def test_integral_numbers_have_no_decimal_point() -> None:
    assert to_yaml_line(99.0) == "99"


def test_a_number_has_the_fewest_digits() -> None:
    assert to_yaml_line(99.9) == "99.9"
