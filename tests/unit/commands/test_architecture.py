"""The diagram of the program."""

from collections import Counter

import pytest

from commands.architecture import FILE, Node, diagram, tree, updated
from commands.errors import CommandError


def node(kind: str, name: str, parent: str = "", *dependencies: str) -> Node:
    token = f"slipway:x:{kind}" if kind[0].isupper() else f"kubernetes:core/v1:{kind.title()}"
    return Node(token, name, parent, set(dependencies), Counter())


def test_the_diagram_is_current() -> None:
    page = FILE.read_text()
    assert page == updated(page), "run `make architecture`"


def test_the_tree_has_the_components_of_the_program() -> None:
    kinds = {one.kind for one in tree().values()}
    assert {"Release", "Workload", "Deployment", "Namespace", "IngressRouter"} <= kinds
    assert {"Flagger", "ProgressiveRelease", "Canary"} <= kinds


def test_a_component_is_in_its_parent_and_lists_its_resources() -> None:
    nodes = {
        "r": node("Release", "a"),
        "w": node("Workload", "a-stable", "r"),
        "s1": node("service", "a-one", "w"),
        "s2": node("service", "a-two", "w"),
    }
    text = diagram(nodes)
    assert 'subgraph c0["<b>Release</b> a"]' in text
    assert 'c1["<b>Workload</b> a-stable<br/>2 Service"]' in text


def test_arrows_go_from_a_dependency_to_its_dependents_without_transitive_ones() -> None:
    nodes = {
        "a": node("First", "a"),
        "b": node("Second", "b", "", "a"),
        "c": node("Third", "c", "", "a", "b"),
    }
    arrows = {line.strip() for line in diagram(nodes).splitlines() if "-->" in line}
    assert arrows == {"c0 --> c1", "c1 --> c2"}


def test_the_order_of_registration_does_not_matter() -> None:
    nodes = {"a": node("First", "a"), "b": node("Second", "b", "", "a")}
    assert diagram(nodes) == diagram(dict(reversed(nodes.items())))


def test_a_page_without_the_markers_is_an_error() -> None:
    with pytest.raises(CommandError, match="lacks the markers"):
        updated("# Architecture")
