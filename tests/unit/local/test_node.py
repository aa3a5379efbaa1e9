"""Steps and images of the node."""

import os
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
from local.server_images import EXTERNAL_SECRETS, SERVERS
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


def test_a_pushed_image_replaces_an_earlier_build_on_the_node(tmp_path, monkeypatch):
    calls: list[str] = []
    monkeypatch.setattr(node.images, "push", lambda _, image: calls.append(f"push {image.tag}"))
    program = tmp_path / "ctr"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    step = node._push(Builder(Layout(tmp_path), GO), EXTERNAL_SECRETS)
    step.work(lambda _: None)
    reference = EXTERNAL_SECRETS.reference
    assert calls == [f"push {reference.tag}"]
    arguments = (tmp_path / "arguments").read_text()
    assert arguments.endswith(f"--namespace k8s.io images remove {reference}\n")
    program.write_text("#!/bin/sh\necho no connection >&2; exit 1\n")
    with pytest.raises(LocalError, match=f"{reference} stays on the node: no connection"):
        step.work(lambda _: None)


def test_an_image_is_pushed_after_its_build(tmp_path):
    steps = {step.name: step for step in node._image_steps(Builder(Layout(tmp_path), GO), SERVERS)}
    for server in SERVERS:
        assert steps[f"image {server.key}"].needs == [server.recipe.name]
