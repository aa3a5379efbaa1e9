"""Throughput while all requests move to another track, under a load that needs all pods.

Prints a table of each second: `pytest --capture=no tests/cluster/test_capacity.py`.
"""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import httpx
import pytest

from tests.cluster.project import INGRESS_URL, Project, wait_until

pytestmark = pytest.mark.timeout(1800)

PODS = 6
CLIENTS = 3 * PODS
"""Each sends one request at a time: every pod always has some, and is busy."""
ITERATIONS = 60_000
"""Work of a request: about 10 ms of CPU time."""
BASELINE_SECONDS = 20
AFTER_SECONDS = 20
MEAN_SECONDS = 5
MINIMUM = 0.9
"""Fraction of the throughput before the move."""


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    with project.service() as service:
        service["workload"]["resources"] = {
            "requests": {"cpu": "20m", "memory": "32Mi"},
            "limits": {"cpu": "100m", "memory": "64Mi"},
        }
        service["autoscaling"] = {
            "minReplicas": 2,
            "maxReplicas": PODS,
            "targetCPU": 50,
            "scaleDownStabilizationWindowSeconds": 60,
        }
    project.make("up")


class BusyPods:
    """Clients that send the next request when they have the response of the last one."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(CLIENTS)]
        self.responses: Counter[int] = Counter()
        """Responses by second of ``time.monotonic``."""
        self.failures: list[str] = []
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        headers = {"Host": self._host}
        with httpx.Client(base_url=INGRESS_URL, headers=headers, timeout=30) as client:
            while not self._stopped.is_set():
                try:
                    status = str(
                        client.get("/api/v1/work", params={"iterations": ITERATIONS})
                        .raise_for_status()
                        .status_code
                    )
                except httpx.HTTPError as error:
                    status = f"{type(error).__name__}: {error}"
                with self._lock:
                    if status == "200":
                        self.responses[int(time.monotonic())] += 1
                    else:
                        self.failures.append(status)

    def throughput(self, start: int, end: int) -> float:
        """Mean number of responses per second from ``start`` to before ``end``."""
        return mean(self.responses[second] for second in range(start, end))

    def stop(self) -> None:
        """Send no more requests."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout=30)


@dataclass
class Sample:
    """Ready pods of each track, and the CPU time that the machine was idle."""

    ready: Mapping[str, int]
    idle: float


@contextmanager
def sampled(project: Project) -> Iterator[dict[int, Sample]]:
    """Sample once a second until the end of the block."""
    path = "jsonpath={.metadata.name} {.status.readyReplicas}{'\\n'}"
    watch = subprocess.Popen(
        [
            *("kubectl", "get", "deployments", "--namespace", project.stack),
            *("--watch", "--output", path),
        ],
        env=dict(project.environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    ready: dict[str, int] = {}
    samples: dict[int, Sample] = {}
    stopped = threading.Event()

    def read() -> None:
        assert watch.stdout
        for line in watch.stdout:
            name, _, number = line.strip().partition(" ")
            ready[name.removeprefix("beacon-")] = int(number or 0)

    def sample() -> None:
        before = _cpu_times()
        while not stopped.wait(1 - time.monotonic() % 1):
            now = _cpu_times()
            total = sum(now) - sum(before)
            samples[int(time.monotonic()) - 1] = Sample(
                dict(ready), (now[3] - before[3]) / max(total, 1)
            )
            before = now

    threads = [threading.Thread(target=one, daemon=True) for one in (read, sample)]
    for thread in threads:
        thread.start()
    try:
        yield samples
    finally:
        stopped.set()
        watch.terminate()
        for thread in threads:
            thread.join()


def _cpu_times() -> list[int]:
    return [int(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]


@pytest.fixture(scope="module")
def load(project: Project) -> Iterator[BusyPods]:
    """Load that the autoscaler has scaled stable to its maximum for."""
    load = BusyPods(project.host)
    try:
        wait_until("all pods of stable", lambda: ready(project, "stable") == PODS, 300, interval=2)
        time.sleep(5)
        yield load
    finally:
        load.stop()


def ready(project: Project, track: str) -> int:
    text = project.kubectl(
        "get", "deployment", f"beacon-{track}", "-o", "jsonpath={.status.readyReplicas}"
    )
    return int(text or 0)


@pytest.mark.parametrize(
    "command",
    [
        ("canary", "VERSION=1.1.0", "WEIGHT=100"),
        ("promote", "FORCE=1"),
        ("rollback",),
    ],
    ids=lambda command: command[0],
)
def test_a_move_of_all_requests_keeps_the_throughput(
    project: Project, load: BusyPods, command: tuple[str, ...]
) -> None:
    with sampled(project) as samples:
        time.sleep(BASELINE_SECONDS + 1)
        start = int(time.monotonic())
        project.make(*command)
        end = int(time.monotonic())
        time.sleep(AFTER_SECONDS + 1)
    baseline = load.throughput(start - BASELINE_SECONDS, start)
    print(f"\nmake {' '.join(command)}: {baseline:.1f} responses per second before")
    print(f"{'s':>5} {'req/s':>6} {'%':>5} {'mean 5 s':>9} {'stable':>7} {'canary':>7} {'idle':>6}")
    lowest = 1.0
    for second in range(start - 3, end + AFTER_SECONDS):
        sample = samples.get(second, Sample({}, 0))
        rate = load.responses[second]
        average = load.throughput(second - MEAN_SECONDS + 1, second + 1) / baseline
        if second >= start:
            lowest = min(lowest, average)
        pods = " ".join(f"{sample.ready.get(track, 0):>7}" for track in ("stable", "canary"))
        print(
            f"{second - start:>5} {rate:>6} {rate / baseline:>5.0%} {average:>9.0%} {pods} "
            f"{sample.idle:>6.0%}"
        )
    assert load.failures == []
    assert lowest >= MINIMUM
