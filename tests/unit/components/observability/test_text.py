"""Configuration files as text."""

import yaml

from components.observability.text import as_yaml


def test_a_part_that_is_used_twice_stands_twice() -> None:
    part = {"a": [1]}
    text = as_yaml({"z": part, "b": part})
    assert "&" not in text
    assert yaml.safe_load(text) == {"z": part, "b": part}
    assert text.startswith("z:")
