"""The picture of the program."""

from collections import Counter

import pytest

from commands.architecture import FILE, Node, picture, tree, updated
from commands.errors import CommandError


def node(kind: str, name: str, parent: str = "", *needs: str) -> Node:
    token = f"slipway:x:{kind}" if kind[0].isupper() else f"kubernetes:core/v1:{kind.title()}"
    return Node(token, name, parent, set(needs), Counter())


def test_the_picture_is_current() -> None:
    page = FILE.read_text()
    assert page == updated(page), "run `make architecture`"


def test_the_tree_is_the_programs() -> None:
    kinds = {one.kind for one in tree().values()}
    assert {"Release", "Workload", "Deployment", "Namespace", "IngressRouter"} <= kinds


def test_a_component_stands_in_the_one_that_made_it_with_what_it_holds() -> None:
    nodes = {
        "r": node("Release", "a"),
        "w": node("Workload", "a-stable", "r"),
        "s1": node("service", "a-one", "w"),
        "s2": node("service", "a-two", "w"),
    }
    text = picture(nodes)
    assert 'subgraph c0["<b>Release</b> a"]' in text
    assert 'c1["<b>Workload</b> a-stable<br/>2 Service"]' in text


def test_arrows_go_to_what_waits_and_not_twice_around() -> None:
    nodes = {
        "a": node("First", "a"),
        "b": node("Second", "b", "", "a"),
        "c": node("Third", "c", "", "a", "b"),
    }
    arrows = {line.strip() for line in picture(nodes).splitlines() if "-->" in line}
    assert arrows == {"c0 --> c1", "c1 --> c2"}


def test_the_order_of_registration_does_not_matter() -> None:
    nodes = {"a": node("First", "a"), "b": node("Second", "b", "", "a")}
    assert picture(nodes) == picture(dict(reversed(nodes.items())))


def test_a_page_without_a_place_is_named() -> None:
    with pytest.raises(CommandError, match="has no place for the picture"):
        updated("# Architecture")
