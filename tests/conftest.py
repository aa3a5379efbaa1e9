"""Which tests run beside each other, and which follow each other on one worker."""

import os
from functools import cache

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

NODE = "tests/cluster/"
"""What runs on the one node."""
ON_NODE = 4
"""Workers for it: its cores run all the pods too. The others take the rest meanwhile."""
ALONE = "tests/cluster/test_outages.py"
"""Stops what the others stand on: while it runs, nothing else is on the node."""
TOGETHER = ("tests/cluster/observability/", "tests/manifests/test_policy.py")
"""What shares something that is made once: a stack with its servers, an environment."""
APART = ("tests/cluster/test_plugins.py",)
"""Tests on the node with a stack each. In other files there, all share one."""
FIRST = (
    ALONE,
    "tests/cluster/observability/",
    "tests/cluster/test_failures.py",
    "tests/cluster/test_canary.py",
    "tests/cluster/test_lifecycle.py",
    "tests/cluster/test_kills.py",
    "tests/cluster/test_autoscaling.py",
    "tests/cluster/test_template.py",
    "tests/cluster/test_diff.py",
    NODE,
    "tests/manifests/test_retention.py",
    "tests/manifests/",
    "tests/unit/commands/",
)
"""The longest: whoever begins them last would end long after all others."""
NICE = 5
"""Of tests that only compute: what is measured on the node does not wait for them."""


def scope_of(nodeid: str) -> str:
    """What follows each other on one worker; most tests are a scope of their own."""
    for start in TOGETHER:
        if nodeid.startswith(start):
            return start
    shares = nodeid.startswith(NODE) and not nodeid.startswith(APART)
    return nodeid.partition("::")[0] if shares else nodeid


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""

    def place(item: pytest.Item) -> int:
        return next((n for n, start in enumerate(FIRST) if item.nodeid.startswith(start)), 99)

    items.sort(key=place)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the node have the processor."""
    if hasattr(item.config, "workerinput") and not item.nodeid.startswith(NODE):
        _give_way()


@cache
def _give_way() -> None:
    os.nice(NICE)


class BesideEachOther(LoadScopeScheduling):
    """A few workers test on the node, and at the same time the others test the rest."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        self._on_node: dict[WorkerController, bool] = {}

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

    def _is_on_node(self, worker: WorkerController) -> bool:
        """Whether this worker is one of the few; decided once, for what is left to do."""
        if worker not in self._on_node:
            on_node = [scope.startswith(NODE) for scope in self.workqueue]
            most = len(self.nodes) if all(on_node) else min(ON_NODE, len(self.nodes) - 1)
            self._on_node[worker] = any(on_node) and sum(self._on_node.values()) < most
        return self._on_node[worker]

    def _next(self, worker: WorkerController) -> str | None:
        """The scope that this worker takes next: the few take the rest where the node's is done."""
        on_node = self._is_on_node(worker)
        takes_all = on_node or not any(self._is_on_node(other) for other in self.nodes)
        return next(
            (scope for scope in self.workqueue if scope.startswith(NODE) == on_node),
            next(iter(self.workqueue), None) if takes_all else None,
        )

    def _is_alone(self) -> WorkerController | None:
        """The worker on which tests run that have the node to themselves."""
        for worker, work in self.assigned_work.items():
            if not all(work.get(ALONE, {}).values()):
                return worker
        return None

    def remove_node(self, node: WorkerController) -> str | None:
        """Called when a worker has ended, or crashed."""
        self._on_node.pop(node, None)
        return super().remove_node(node)

    def _assign_work_unit(self, node: WorkerController) -> None:
        scope, alone = self._next(node), self._is_alone()
        must_wait = scope and scope.startswith(NODE) and alone not in (None, node)
        if scope and not must_wait:
            self.workqueue.move_to_end(scope, last=False)
            super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if node.shutting_down:
            return
        if self._next(node) is None:
            node.shutdown()
        # A worker begins a test only when it knows the next.
        elif self._pending_of(self.assigned_work[node]) < 2:
            self._assign_work_unit(node)

    def mark_test_complete(
        self, node: WorkerController, item_index: int, duration: float = 0
    ) -> None:
        """Called when a test has run."""
        was_alone = self._is_alone()
        super().mark_test_complete(node, item_index, duration)
        if was_alone and not self._is_alone():
            for waiting in self.nodes:
                self._reschedule(waiting)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BesideEachOther:
    """The scheduler of every run on more than one worker."""
    config.option.loadscopereorder = False
    return BesideEachOther(config, log)
