"""Fields that are left out."""

from components.prune import prune_none


def test_a_field_without_a_value_is_left_out_at_every_depth() -> None:
    fields = {"a": None, "b": {"c": None, "d": [{"e": None, "f": 0}]}, "g": []}
    assert prune_none(fields) == {"b": {"d": [{"f": 0}]}, "g": []}


def test_what_is_false_or_empty_is_a_value() -> None:
    fields = {"zero": 0, "no": False, "empty": "", "nothing": {}}
    assert prune_none(fields) == fields
