"""Changed fields of an object."""

from typing import Any

import pytest

from commands.diff.fields import MISSING, differences

CONTAINERS = [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]
NEW_CONTAINERS = [
    {"name": "new", "image": "1"},
    {"name": "a", "image": "1"},
    {"name": "b", "image": "2"},
]
DNS = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            {"spec": {"replicas": 2, "strategy": {"type": "Recreate"}}},
            {"spec": {"replicas": 3, "strategy": {"type": "Recreate"}}},
            {"spec.replicas": (2, 3)},
            id="the deepest changed field",
        ),
        pytest.param(
            {"containers": CONTAINERS},
            {"containers": NEW_CONTAINERS},
            {
                "containers[b].image": ("1", "2"),
                "containers[new]": (MISSING, NEW_CONTAINERS[0]),
            },
            id="list items with a name are matched by name",
        ),
        pytest.param(
            CONTAINERS, CONTAINERS[::-1], {"[order]": ("a, b", "b, a")}, id="a reordered list"
        ),
        pytest.param(
            {"egress": [{"ports": [1]}, {"ports": [2]}]},
            {"egress": [{"ports": [0]}, {"ports": [1]}, {"ports": [2]}]},
            {"egress[0]": (MISSING, {"ports": [0]})},
            id="an inserted list item without a name",
        ),
        pytest.param(
            DNS,
            [DNS[0], {"port": 54, "protocol": "TCP"}],
            {"[1].port": (53, 54)},
            id="list items with the same name are matched by index",
        ),
        pytest.param(
            {"data": {"a.b/c": 1}}, {"data": {}}, {'data["a.b/c"]': (1, MISSING)}, id="a quoted key"
        ),
        pytest.param({"a": 1}, {"a": "1"}, {"a": (1, "1")}, id="a value of another type"),
        pytest.param({"a": {}}, {"a": []}, {"a": ({}, [])}, id="a collection of another type"),
    ],
)
def test_differences(old: Any, new: Any, expected: dict[str, Any]) -> None:
    changed = differences(old, new)
    assert {field.name: (field.old, field.new) for field in changed} == expected


def test_a_checksum_annotation_is_derived() -> None:
    old = {"annotations": {"checksum/config": "1", "example.com/team": "a"}}
    new = {"annotations": {"checksum/config": "2", "example.com/team": "b"}}
    assert [field.is_derived for field in differences(old, new)] == [True, False]
