"""One node on one machine."""

from pathlib import Path

import pytest
from rich.console import Console

from local import node
from local.build import Builder
from local.daemon import Service
from local.detection import Machine
from local.errors import LocalError
from local.layout import Layout
from local.node import Node
from local.progress import Display
from local.server_images import SERVERS
from local.supervisor import Supervisor
from local.toolchain import Toolchain

OTHER = Path("/home/other")
GO = Toolchain(Path("/usr/local/go"), "1.26.8")


@pytest.fixture
def cleared(monkeypatch):
    found: list[Path] = []
    monkeypatch.setattr(node.network, "owner", lambda: OTHER)
    monkeypatch.setattr(node, "_clear", lambda at: found.append(at.root))
    return found


def take_over(tmp_path):
    Node(Layout(tmp_path), Machine(False, False, False, False))._take_over()


def test_what_a_dead_node_left_is_cleared_away(cleared, tmp_path, monkeypatch):
    monkeypatch.setattr(Supervisor, "running", lambda self: self.at.root != OTHER)
    take_over(tmp_path)
    assert cleared == [OTHER]


def test_a_living_node_is_left_alone(cleared, tmp_path, monkeypatch):
    monkeypatch.setattr(Supervisor, "running", lambda self: self.at.root == OTHER)
    take_over(tmp_path)
    assert cleared == []


@pytest.fixture
def nothing_stored(monkeypatch):
    monkeypatch.setattr(node.images, "is_stored", lambda *_: False)


def keys(tmp_path, *, cluster=False):
    made = Node(Layout(tmp_path), Machine(cluster, False, False, False))
    return {server.key for server in made.missing_images()}


@pytest.mark.usefixtures("nothing_stored")
def test_images_that_can_be_pulled_are_not_built(tmp_path, monkeypatch):
    monkeypatch.setattr(node, "can_be_pulled", lambda name: name.host == "quay.io")
    expected = {server.key for server in SERVERS if server.reference.host != "quay.io"}
    assert keys(tmp_path) == expected


def test_images_that_are_stored_are_neither_pulled_nor_built(tmp_path, monkeypatch):
    monkeypatch.setattr(node.images, "is_stored", lambda *_: True)
    monkeypatch.setattr(node, "can_be_pulled", lambda _: pytest.fail("asked a registry"))
    assert keys(tmp_path) == set()


@pytest.mark.usefixtures("nothing_stored")
def test_a_cluster_of_the_users_pulls_its_images_itself(tmp_path):
    assert keys(tmp_path, cluster=True) == set()


@pytest.mark.usefixtures("nothing_stored")
def test_nothing_is_built_for_a_registry_that_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(node, "can_be_pulled", lambda _: False)
    monkeypatch.setattr(Service, "healthy", lambda _: False)
    monkeypatch.setattr(node, "run", lambda *_: pytest.fail("began to build"))
    with pytest.raises(LocalError, match="local up"):
        Node(Layout(tmp_path), Machine(False, False, False, False)).images(Display(Console()))


def test_builds_come_one_after_the_other_and_images_after_theirs(tmp_path):
    steps = {step.name: step for step in node._image_steps(Builder(Layout(tmp_path), GO), SERVERS)}
    builds = [server.recipe.name for server in SERVERS]
    chain = [name for name in dict.fromkeys(builds) if not steps[name].needs]
    assert len(chain) == 1
    for server in SERVERS:
        assert steps[f"image {server.key}"].needs == [server.recipe.name]
