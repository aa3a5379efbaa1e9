import yaml

from components.observability.to_yaml import to_yaml


def test_repeated_values_are_written_without_anchors_and_in_order() -> None:
    part = {"a": [1]}
    text = to_yaml({"z": part, "b": part})
    assert "&" not in text
    assert yaml.safe_load(text) == {"z": part, "b": part}
    assert text.startswith("z:")
