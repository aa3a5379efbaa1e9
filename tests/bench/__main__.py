"""``make bench``: prints a table and writes ``bench.json``.

Times are seconds of whole commands as a person waits for them. They depend on the machine; the
ratios against a peer in the same run are what to compare. ``COLD=1`` also measures the first
``make up`` of a machine, which builds everything: about twenty minutes on two cores.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from commands.pulumi import Stack
from commands.registry import manifest
from local.environment import environment
from tests.bench.plain_objects import Helm, Kubectl, Peer, Pulumi
from tests.cluster.project import CHECKOUT, Project
from tests.cluster.traffic import SteadyLoad

ROUNDS = 3
console = Console(stderr=True)


@dataclass(frozen=True)
class Figure:
    """One measured value; ``ratio`` is this value over the peer's in the same run."""

    name: str
    value: float
    unit: str
    peer: str = ""
    ratio: float | None = None


def seconds_of(project: Project, target: str, *variables: str) -> float:
    """How long a Makefile target takes."""
    started = time.monotonic()
    project.make(target, *variables)
    return time.monotonic() - started


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being measured, and how long that took."""
    started = time.monotonic()
    console.print(f"measuring {what} ...")
    yield
    console.print(f"  done in {time.monotonic() - started:.0f} s")


def everyday_tasks(project: Project) -> Iterator[Figure]:
    """The tasks of a day, on one stack."""
    with step("a first deployment, an unchanged one, preview and render"):
        yield Figure("up, new stack on a running node", seconds_of(project, "up"), "s")
        for target, name in (
            ("up", "up, nothing changed"),
            ("preview", "preview, nothing changed"),
            ("render", "render"),
        ):
            yield Figure(
                name, statistics.median(seconds_of(project, target) for _ in range(ROUNDS)), "s"
            )
    with step("a rebuild after an edit"):
        source = project.folder / "app" / "main.go"
        source.write_text(source.read_text() + "\n// An edit.\n")
        yield Figure("up after an edit of the source", seconds_of(project, "up"), "s")
    with step("canary and rollback under load"):
        project.make("canary", "VERSION=99.0.0", "WEIGHT=50")
        with SteadyLoad(project.host) as load:
            project.make("rollback")
            ended = time.monotonic()
            time.sleep(3)
        yield Figure(
            "rollback: last answer of the canary after the end of the update",
            max(0.0, load.last_seen["99.0.0"] - ended),
            "s",
        )
        yield Figure("rollback: failed requests", len(load.failures), "requests")


def image_size(project: Project) -> Figure:
    """The image as it is pushed: compressed layers and configuration."""
    running = Stack(project.stack, project.environment).outputs()["stable"]
    pushed = manifest(running["image"], project.environment)
    assert pushed, f"{running['image']} is not published"
    size = pushed["config"]["size"] + sum(layer["size"] for layer in pushed["layers"])
    return Figure("image, compressed", round(size / 1e6, 2), "MB")


def plain_objects(folder: Path, variables: dict[str, str]) -> Iterator[Figure]:
    """120 objects through Pulumi, Helm and kubectl, in turn."""
    peers: list[Peer] = [
        kind(kind.__name__.lower(), folder, variables) for kind in (Pulumi, Helm, Kubectl)
    ]
    with step(f"120 objects through {', '.join(peer.name for peer in peers)}"):
        rounds = [{peer.name: peer.round() for peer in peers} for _ in range(ROUNDS)]
    for index, what in enumerate(("new", "unchanged")):
        medians = {
            peer.name: statistics.median(one[peer.name][index] for one in rounds) for peer in peers
        }
        for peer in peers:
            yield Figure(
                f"120 objects, {what}: {peer.name}",
                medians[peer.name],
                "s",
                "" if peer.name == "kubectl" else "kubectl",
                None if peer.name == "kubectl" else medians[peer.name] / medians["kubectl"],
            )
    for peer in peers:
        if isinstance(peer, Pulumi):
            peer.remove()


def first_and_warm_start(project: Project) -> Iterator[Figure]:
    """The whole way on a machine that has nothing, or that has everything built."""
    if os.environ.get("COLD"):
        with step("a cold start: this builds everything"), tempfile.TemporaryDirectory() as home:
            project.make("local-down")
            # Not with the variables of the other home: what they name would be used, not built.
            cold = Project(project.folder, project.stack, {**os.environ, "SLIPWAY_HOME": home})
            yield Figure("up, cold: everything built", seconds_of(cold, "up"), "s")
            cold.make("local-reset")
    with step("a warm start: everything built, nothing running"):
        project.make("local-down")
        started = time.monotonic()
        project.make("up")
        assert project.get().status_code == 200
        yield Figure(
            "up, warm: built but stopped, to a served request", time.monotonic() - started, "s"
        )


def main() -> int:
    """Measure, print and write."""
    subprocess.run([sys.executable, "-m", "local", "up"], cwd=CHECKOUT, check=True)
    subprocess.run([sys.executable, "-m", "local", "build", "helm"], cwd=CHECKOUT, check=True)
    variables = {**os.environ, **environment()}
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "slipway"
        copy.mkdir()
        project = Project.copy(copy, "bench", variables)
        try:
            figures += everyday_tasks(project)
            figures.append(image_size(project))
            figures += first_and_warm_start(project)
        finally:
            project.run("make", "--silent", "down", f"STACK={project.stack}")
        figures += plain_objects(Path(folder), variables)
    table = Table("measured", "value", "unit", "times the peer's")
    for figure in figures:
        ratio = f"{figure.ratio:.1f} x {figure.peer}" if figure.ratio else ""
        table.add_row(figure.name, f"{figure.value:.2f}", figure.unit, ratio)
    Console().print(table)
    (CHECKOUT / "bench.json").write_text(
        json.dumps([asdict(figure) for figure in figures], indent=2) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
