"""Locks of one home: builds, and the start of the node."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console

from local import build, lock, node
from local.build import Builder
from local.detection import Machine
from local.errors import LocalError
from local.layout import Layout
from local.lock import NODE, hold_lock
from local.node import Node
from local.progress import Display
from local.recipes import FLAGGER, METRICS, PLATFORM, TELEMETRY, Recipe
from local.toolchain import Toolchain

GO = Toolchain(Path("/usr/local/go"), "1.26.8")
MACHINE = Machine(cluster=True, docker=True, pulumi=False, plugins=True)


@pytest.fixture
def paths(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_TIMEOUT", 0)
    monkeypatch.setattr(node.toolchain, "find", lambda _: GO)
    monkeypatch.setattr(node, "run_steps", lambda *_: None)
    return Layout(tmp_path)


def test_the_node_starts_while_a_program_is_built(paths):
    with hold_lock(paths, f"build-{PLATFORM.name}"):
        Node(paths, MACHINE).up(Display(Console()))


def test_one_process_at_a_time_starts_the_node(paths):
    with hold_lock(paths, NODE), pytest.raises(LocalError, match="Another run"):
        Node(paths, MACHINE).up(Display(Console()))


def test_programs_that_another_run_has_built_meanwhile_are_not_built_again(paths, monkeypatch):
    found = [["pause"], []]
    monkeypatch.setattr(Builder, "missing", lambda *_: found.pop(0))
    monkeypatch.setattr(build.shutil, "copytree", lambda *_: pytest.fail("built again"))
    Builder(paths, GO).build(PLATFORM, ["pause"])
    assert found == []


def test_two_recipes_are_built_at_a_time(paths, monkeypatch):
    both = threading.Barrier(2, timeout=20)
    running: list[str] = []

    def build_one(_self: Builder, recipe: Recipe, *_: object) -> None:
        running.append(recipe.name)
        assert len(running) <= 2
        both.wait()
        running.remove(recipe.name)

    monkeypatch.setattr(Builder, "_build", build_one)
    builder = Builder(paths, GO)
    recipes = [PLATFORM, METRICS, FLAGGER, TELEMETRY]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda recipe: builder.build(recipe, list(recipe.programs)), recipes))
