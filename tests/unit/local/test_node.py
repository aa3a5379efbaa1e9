"""Steps and images of the node."""

from pathlib import Path

import pytest
from rich.console import Console

from local import node
from local.build import Builder
from local.daemon import Daemon
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
def removed(monkeypatch):
    found: list[Path] = []
    monkeypatch.setattr(node.network, "owner", lambda: OTHER)
    monkeypatch.setattr(node, "_clear", lambda paths: found.append(paths.root))
    return found


def take_over(tmp_path):
    Node(Layout(tmp_path), Machine(False, False, False, False))._clear_other_node()


def test_what_a_dead_node_left_behind_is_removed(removed, tmp_path, monkeypatch):
    monkeypatch.setattr(Supervisor, "running", lambda self: self.paths.root != OTHER)
    take_over(tmp_path)
    assert removed == [OTHER]


def test_a_running_node_is_not_touched(removed, tmp_path, monkeypatch):
    monkeypatch.setattr(Supervisor, "running", lambda self: self.paths.root == OTHER)
    take_over(tmp_path)
    assert removed == []


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
    monkeypatch.setattr(node, "can_be_pulled", lambda _: pytest.fail("queried a registry"))
    assert keys(tmp_path) == set()


@pytest.mark.usefixtures("nothing_stored")
def test_no_image_is_built_for_another_cluster(tmp_path):
    assert keys(tmp_path, cluster=True) == set()


@pytest.mark.usefixtures("nothing_stored")
def test_no_image_is_built_without_a_running_registry(tmp_path, monkeypatch):
    monkeypatch.setattr(node, "can_be_pulled", lambda _: False)
    monkeypatch.setattr(Daemon, "healthy", lambda _: False)
    monkeypatch.setattr(node, "run_steps", lambda *_: pytest.fail("started to build"))
    with pytest.raises(LocalError, match="local up"):
        Node(Layout(tmp_path), Machine(False, False, False, False)).images(Display(Console()))


def test_builds_run_in_sequence_and_an_image_is_pushed_after_its_build(tmp_path):
    steps = {step.name: step for step in node._image_steps(Builder(Layout(tmp_path), GO), SERVERS)}
    builds = [server.recipe.name for server in SERVERS]
    chain = [name for name in dict.fromkeys(builds) if not steps[name].needs]
    assert len(chain) == 1
    for server in SERVERS:
        assert steps[f"image {server.key}"].needs == [server.recipe.name]
