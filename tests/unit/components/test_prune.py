"""Optional fields that are omitted."""

from components.prune import prune_none


def test_none_is_pruned_at_every_depth() -> None:
    fields = {"a": None, "b": {"c": None, "d": [{"e": None, "f": 0}]}, "g": []}
    assert prune_none(fields) == {"b": {"d": [{"f": 0}]}, "g": []}


def test_false_and_empty_values_are_kept() -> None:
    fields = {"zero": 0, "no": False, "empty": "", "nothing": {}}
    assert prune_none(fields) == fields
