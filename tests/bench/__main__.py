"""``make bench``: prints a table and writes ``bench.json``.

Durations are those of whole commands, in seconds. They depend on the machine: compare the ratios to
kubectl in the same run. ``COLD=1`` also measures the first ``make up`` on a machine, which builds
everything and takes about twenty minutes on two cores.
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
from tests.cluster.fleet import fleet_of_seven
from tests.cluster.project import CHECKOUT, Project
from tests.cluster.traffic import steady_load

ROUNDS = 3
console = Console(stderr=True)


@dataclass(frozen=True)
class Figure:
    """A measured value. ``ratio`` is the value divided by that of ``baseline`` in the same run."""

    name: str
    value: float
    unit: str
    baseline: str = ""
    ratio: float | None = None


def seconds_of(project: Project, target: str, *variables: str) -> float:
    """Run a make target and return its duration in seconds."""
    started = time.monotonic()
    project.make(target, *variables)
    return time.monotonic() - started


@contextmanager
def step(description: str) -> Iterator[None]:
    """Print a description of the block and its duration."""
    started = time.monotonic()
    console.print(f"measuring {description} ...")
    yield
    console.print(f"  done in {time.monotonic() - started:.0f} s")


def stack_operations(project: Project) -> Iterator[Figure]:
    """Measure deployment, preview, rendering, an image build and a rollback on one stack."""
    with step("a new stack, an unchanged one, preview and render"):
        yield Figure("up, new stack on a running node", seconds_of(project, "up"), "s")
        for target, name in (
            ("up", "up, unchanged"),
            ("preview", "preview, unchanged"),
            ("render", "render"),
        ):
            yield Figure(
                name, statistics.median(seconds_of(project, target) for _ in range(ROUNDS)), "s"
            )
    with step("a source edit"):
        project.edit_source("// An edit.")
        yield Figure("up, source edited", seconds_of(project, "up"), "s")
    with step("a canary and its rollback under load"):
        project.make("canary", "VERSION=99.0.0", "WEIGHT=50", "FORCE=1")
        with steady_load(project.host) as load:
            project.make("rollback")
            ended = time.time()
            time.sleep(3)
        yield Figure(
            "rollback: last response of the canary after the update",
            max(0.0, load.last_response("99.0.0") - ended),
            "s",
        )
        yield Figure("rollback: failed requests", len(load.failures), "requests")


def image_size(project: Project) -> Figure:
    """Return the size of the pushed image: compressed layers and configuration."""
    (service,) = Stack(project.stack, project.environment).outputs()["services"].values()
    image = service["stable"]["image"]
    pushed = manifest(image, project.environment)
    assert pushed, f"{image} is not published"
    size = pushed["config"]["size"] + sum(layer["size"] for layer in pushed["layers"])
    return Figure("image, compressed", round(size / 1e6, 2), "MB")


def plain_objects(folder: Path, variables: dict[str, str]) -> Iterator[Figure]:
    """Measure Pulumi, Helm and kubectl with the same 120 objects."""
    peers: list[Peer] = [
        kind(kind.__name__.lower(), folder, variables) for kind in (Pulumi, Helm, Kubectl)
    ]
    with step(f"120 objects with {', '.join(peer.name for peer in peers)}"):
        rounds = [{peer.name: peer.round() for peer in peers} for _ in range(ROUNDS)]
    for operation in peers[0].commands():
        medians = {
            peer.name: statistics.median(results[peer.name][operation] for results in rounds)
            for peer in peers
        }
        for peer in peers:
            yield Figure(
                f"120 objects, {operation}: {peer.name}",
                medians[peer.name],
                "s",
                "" if peer.name == "kubectl" else "kubectl",
                None if peer.name == "kubectl" else medians[peer.name] / medians["kubectl"],
            )
    for peer in peers:
        if isinstance(peer, Pulumi):
            peer.remove()


def first_and_warm_start(project: Project) -> Iterator[Figure]:
    """Measure `make up` on a machine without builds, and on one without running processes."""
    if os.environ.get("COLD"):
        with step("a cold start, which builds everything"), tempfile.TemporaryDirectory() as home:
            project.make("local-down")
            # Without the variables of the other home, whose builds would be used.
            cold = Project(project.folder, project.stack, {**os.environ, "SLIPWAY_HOME": home})
            yield Figure("up, cold: nothing built", seconds_of(cold, "up"), "s")
            cold.make("local-reset")
    with step("a warm start"):
        project.make("local-down")
        started = time.monotonic()
        project.make("up")
        assert project.get().status_code == 200
        yield Figure(
            "up, warm: built, not running, until a request is served",
            time.monotonic() - started,
            "s",
        )


def fleet_preview(folder: Path, variables: dict[str, str]) -> Iterator[Figure]:
    """Measure the preview of a fleet of seven stacks, and of one of them."""
    with step("the preview of a fleet"), fleet_of_seven(folder, variables) as fleet:
        fleet.succeeds("up")
        fleet.declare("99.0.0")
        one = statistics.median(seconds_of(fleet.stacks["east2"], "preview") for _ in range(ROUNDS))
        started = time.monotonic()
        for _ in range(ROUNDS):
            fleet.succeeds("preview")
        every = (time.monotonic() - started) / ROUNDS
    name = "preview, one stack of a fleet"
    yield Figure(name, one, "s")
    yield Figure("preview, fleet of 7", every, "s", name, every / one)


def main() -> int:
    """Run the benchmarks, print the table and write the file."""
    subprocess.run([sys.executable, "-m", "local", "up"], cwd=CHECKOUT, check=True)
    subprocess.run([sys.executable, "-m", "local", "build", "helm"], cwd=CHECKOUT, check=True)
    variables = {**os.environ, **environment()}
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "slipway"
        copy.mkdir()
        project = Project.copy(copy, "bench", variables)
        try:
            figures += stack_operations(project)
            figures.append(image_size(project))
            figures += first_and_warm_start(project)
        finally:
            project.run("make", "--silent", "down", f"STACK={project.stack}")
        figures += plain_objects(Path(folder), variables)
        figures += fleet_preview(Path(folder), variables)
    table = Table("benchmark", "value", "unit", "ratio")
    for figure in figures:
        ratio = f"{figure.ratio:.1f} x {figure.baseline}" if figure.ratio else ""
        table.add_row(figure.name, f"{figure.value:.2f}", figure.unit, ratio)
    Console().print(table)
    (CHECKOUT / "bench.json").write_text(
        json.dumps([asdict(figure) for figure in figures], indent=2) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
