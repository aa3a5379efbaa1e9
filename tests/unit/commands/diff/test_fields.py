"""Two versions of one object, field by field."""

from typing import Any

import pytest

from commands.diff.fields import ABSENT, differences


def names(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    return {field.name: (field.old, field.new) for field in differences(old, new)}


def test_a_change_is_told_as_deep_inside_as_it_is() -> None:
    old = {"spec": {"replicas": 2, "strategy": {"type": "Recreate"}}}
    new = {"spec": {"replicas": 3, "strategy": {"type": "Recreate"}}}
    assert names(old, new) == {"spec.replicas": (2, 3)}


def test_items_of_lists_are_matched_by_name_wherever_they_stand() -> None:
    old = [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]
    new = [{"name": "new", "image": "1"}, {"name": "a", "image": "1"}, {"name": "b", "image": "2"}]
    assert names({"containers": old}, {"containers": new}) == {
        "containers[b].image": ("1", "2"),
        "containers[new]": (ABSENT, {"name": "new", "image": "1"}),
    }


def test_items_that_only_changed_places_are_an_order() -> None:
    old = [{"name": "a"}, {"name": "b"}]
    assert names(old, old[::-1]) == {"[order]": ("a, b", "b, a")}


def test_an_item_put_before_others_is_the_only_change_without_names_too() -> None:
    rules = [{"ports": [1]}, {"ports": [2]}]
    assert names({"egress": rules}, {"egress": [{"ports": [0]}, *rules]}) == {
        "egress[0]": (ABSENT, {"ports": [0]})
    }


def test_items_of_the_same_name_are_matched_by_place() -> None:
    old = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    new = [{"port": 53, "protocol": "UDP"}, {"port": 54, "protocol": "TCP"}]
    assert names(old, new) == {"[1].port": (53, 54)}


@pytest.mark.parametrize(("old", "new"), [(1, "1"), (None, ""), ({}, [])])
def test_values_of_different_types_are_different(old: Any, new: Any) -> None:
    assert len(names({"key": old}, {"key": new})) == 1


def test_keys_that_hold_dots_are_quoted() -> None:
    assert list(names({"data": {"a.b/c": 1}}, {"data": {}})) == ['data["a.b/c"]']


def test_derived_annotations_are_small_and_others_are_not() -> None:
    old = {"annotations": {"checksum/config": "1", "example.com/team": "a"}}
    new = {"annotations": {"checksum/config": "2", "example.com/team": "b"}}
    assert [field.is_small for field in differences(old, new)] == [True, False]
