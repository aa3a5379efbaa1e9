"""Test order and scheduling: which tests run in parallel, and which on the same worker."""

import gc
import os
from functools import cache

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

CLUSTER = "tests/cluster/"
"""Tests that use the cluster."""
MANIFESTS = "tests/manifests/"
"""Tests of rendered stacks. Those with the same parameter share one, which a worker renders."""
CLUSTER_WORKERS = 3
"""Maximum number of workers that run them: the pods share the processors of the node."""
EXCLUSIVE = "tests/cluster/test_outages.py"
"""Stops parts of the cluster: no other cluster test runs at the same time."""
ONE_SCOPE = (
    "tests/cluster/observability/",
    "tests/manifests/test_host.py",
    "tests/manifests/test_policy.py",
    "tests/manifests/test_schemas.py",
    "tests/unit/commands/diff/test_diff.py",
)
"""Folders and files whose tests share an expensive fixture, and so a worker."""
SCOPE_PER_TEST = ("tests/cluster/test_plugins.py",)
"""Cluster tests with a stack each. In the other files, all tests share one."""
ORDER = (
    EXCLUSIVE,
    "tests/cluster/observability/",
    "tests/cluster/test_followed_release.py",
    "tests/cluster/test_zero_downtime.py",
    "tests/cluster/test_progressive.py",
    "tests/cluster/test_blue_green.py",
    "tests/cluster/test_failures.py",
    "tests/cluster/test_canary.py",
    "tests/cluster/test_lifecycle.py",
    "tests/cluster/test_kills.py",
    "tests/cluster/test_autoscaling.py",
    "tests/cluster/test_template.py",
    "tests/cluster/test_diff.py",
    CLUSTER,
    "tests/manifests/test_log_retention.py",
    MANIFESTS,
    "tests/unit/commands/",
)
"""The slowest tests, which start first."""
NICENESS = 5
"""Of tests without the cluster: timeouts in the cluster must not expire because of them."""


def scope_of(nodeid: str) -> str:
    """Return the scope of a test. The tests of a scope run on one worker, in order."""
    for start in ONE_SCOPE:
        if nodeid.startswith(start):
            return start
    if nodeid.startswith(MANIFESTS):
        file, _, parameter = nodeid.partition("[")
        return f"{MANIFESTS}[{parameter}" if parameter else file
    scope_per_file = nodeid.startswith(CLUSTER) and not nodeid.startswith(SCOPE_PER_TEST)
    return nodeid.partition("::")[0] if scope_per_file else nodeid


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by ORDER."""

    def position(item: pytest.Item) -> int:
        return next((n for n, start in enumerate(ORDER) if item.nodeid.startswith(start)), 99)

    items.sort(key=position)


def pytest_collection_finish() -> None:
    """Exclude all modules from garbage collection: searching them takes a part of every test."""
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Lower the priority of a worker that runs tests without the cluster."""
    if hasattr(item.config, "workerinput") and not item.nodeid.startswith(CLUSTER):
        _lower_priority()


@cache
def _lower_priority() -> None:
    os.nice(NICENESS)


class ClusterScheduling(LoadScopeScheduling):
    """Run the cluster tests on a few workers, and all other tests on the others."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        self._runs_cluster: dict[WorkerController, bool] = {}

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

    def _is_cluster_worker(self, worker: WorkerController) -> bool:
        """Assign a worker, on its first use, to the cluster tests or the other tests."""
        if worker not in self._runs_cluster:
            cluster = [scope.startswith(CLUSTER) for scope in self.workqueue]
            limit = len(self.nodes) if all(cluster) else min(CLUSTER_WORKERS, len(self.nodes) - 1)
            self._runs_cluster[worker] = any(cluster) and sum(self._runs_cluster.values()) < limit
        return self._runs_cluster[worker]

    def _next(self, worker: WorkerController) -> str | None:
        """Return the next scope of a worker. Cluster workers run other tests at the end."""
        cluster = self._is_cluster_worker(worker)
        runs_all = cluster or not any(self._is_cluster_worker(other) for other in self.nodes)
        return next(
            (scope for scope in self.workqueue if scope.startswith(CLUSTER) == cluster),
            next(iter(self.workqueue), None) if runs_all else None,
        )

    def _exclusive_worker(self) -> WorkerController | None:
        """Return the worker that runs the exclusive tests."""
        for worker, work in self.assigned_work.items():
            if not all(work.get(EXCLUSIVE, {}).values()):
                return worker
        return None

    def remove_node(self, node: WorkerController) -> str | None:
        """Handle the end of a worker."""
        self._runs_cluster.pop(node, None)
        return super().remove_node(node)

    def _assign_work_unit(self, node: WorkerController) -> None:
        scope, exclusive = self._next(node), self._exclusive_worker()
        must_wait = scope and scope.startswith(CLUSTER) and exclusive not in (None, node)
        if scope and not must_wait:
            self.workqueue.move_to_end(scope, last=False)
            super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if node.shutting_down:
            return
        if self._next(node) is None:
            node.shutdown()
        # A worker starts a test only if it has the next one too.
        elif self._pending_of(self.assigned_work[node]) < 2:
            self._assign_work_unit(node)

    def mark_test_complete(
        self, node: WorkerController, item_index: int, duration: float = 0
    ) -> None:
        """Handle the end of a test."""
        was_exclusive = self._exclusive_worker()
        super().mark_test_complete(node, item_index, duration)
        if was_exclusive and not self._exclusive_worker():
            for waiting in self.nodes:
                self._reschedule(waiting)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ClusterScheduling:
    """Use ClusterScheduling on more than one worker."""
    config.option.loadscopereorder = False
    return ClusterScheduling(config, log)
