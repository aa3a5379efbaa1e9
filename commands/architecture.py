"""``python -m commands.architecture``: the picture in docs/architecture.md.

It is drawn from the resource tree that the program itself registers, run under the SDK's mocks on a
stack that has a canary and its own observability.
"""

import os
import runpy
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pulumi.runtime import Mocks, set_all_config, set_mocks
from pulumi.runtime import test as drained
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs

from commands.command import command
from commands.errors import CommandError
from commands.stack_file import PROJECT
from local import files
from render import UNBUILT, engine_config

FILE = PROJECT / "docs" / "architecture.md"
BEGIN, END = "<!-- made by `make architecture` -->", "<!-- end -->"

_PREFIX = "slipway:"
_PICTURED: Mapping[str, Any] = {
    "namespace": {"name": "beacon"},
    "image": {"registry": "registry.example.com", "repository": "slipway/beacon"},
    "routing": {"host": "beacon.example.com"},
    "observability": {"mode": "bundled"},
}


@dataclass
class Node:
    """A component, or a resource that is in none."""

    type: str
    name: str
    parent: str
    needs: set[str]
    """URNs that it depends on."""
    holds: Counter[str] = field(default_factory=Counter)
    """Kinds of resources directly in it."""

    @property
    def kind(self) -> str:
        """The last part of its type."""
        return self.type.rpartition(":")[2]

    @property
    def is_component(self) -> bool:
        """Whether it is made of others."""
        return self.type.startswith(_PREFIX)


class _Answers(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        made_up = {"digest": UNBUILT, "repoDigest": f"unbuilt@{UNBUILT}", "result": "drawn"}
        return args.name, {**made_up, **args.inputs}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(f"{args.token} cannot be answered without a provider")


class _Monitor(MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Answers())
        self.nodes: dict[str, Node] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            needs = set(request.dependencies)
            self.nodes[response.urn] = Node(request.type, request.name, request.parent, needs)
        return response


def tree() -> Mapping[str, Node]:
    """Every resource of the program, by URN."""
    version = (PROJECT / "app" / "VERSION").read_text().strip()
    canary = {"version": version, "weight": 10}
    stable = {"version": "0.0.1", "digest": UNBUILT}
    release = {"strategy": "canary", "stable": stable, "canary": canary}
    set_all_config(*engine_config({**_PICTURED, "release": release}))
    monitor = _Monitor()
    set_mocks(_Answers(), project="slipway", stack="picture", preview=False, monitor=monitor)
    _run_program()
    return monitor.nodes


@drained
def _run_program() -> None:
    os.chdir(PROJECT)
    runpy.run_path("__main__.py", run_name="__main__")


def picture(nodes: Mapping[str, Node]) -> str:
    """The tree as a Mermaid flowchart: boxes are components, arrows go to what waits for them."""
    # Registration is concurrent: only names are the same in every run.
    ordered = sorted(nodes.items(), key=lambda item: (item[1].type, item[1].name))
    components = {urn: node for urn, node in ordered if node.is_component}
    for node in nodes.values():
        if not node.is_component and node.parent in components:
            components[node.parent].holds[node.kind] += 1
    identifiers = {urn: f"c{number}" for number, urn in enumerate(components)}
    lines = ["flowchart LR"]
    for urn, node in components.items():
        if node.parent not in components:
            lines += _box(urn, components, identifiers, 1)
    lines += sorted(
        f"  {identifiers[a]} --> {identifiers[b]}" for a, b in _order(nodes, components)
    )
    return "\n".join(lines)


def _box(
    urn: str, components: Mapping[str, Node], identifiers: Mapping[str, str], depth: int
) -> Iterator[str]:
    node, margin = components[urn], "  " * depth
    title = f"<b>{node.kind}</b> {node.name}"
    held = "<br/>".join(
        kind if number == 1 else f"{number} {kind}" for kind, number in sorted(node.holds.items())
    )
    inner = [other for other, child in components.items() if child.parent == urn]
    if not inner:
        yield f'{margin}{identifiers[urn]}["{title}{"<br/>" if held else ""}{held}"]'
        return
    yield f'{margin}subgraph {identifiers[urn]}["{title}"]'
    if held:
        yield f'{margin}  {identifiers[urn]}x["{held}"]'
    for other in inner:
        yield from _box(other, components, identifiers, depth + 1)
    yield f"{margin}end"


def _order(nodes: Mapping[str, Node], components: Mapping[str, Node]) -> Sequence[tuple[str, str]]:
    """Pairs of components outside of all others: the second waits for something of the first."""

    def outermost(urn: str) -> str | None:
        found = None
        while urn in nodes:
            found = urn if urn in components else found
            urn = nodes[urn].parent
        return found

    pairs = {
        (before, after)
        for urn, node in nodes.items()
        for need in node.needs
        if (before := outermost(need)) and (after := outermost(urn)) and before != after
    }
    # What follows from two other arrows is left out.
    return [
        (a, b) for a, b in pairs if not any((a, c) in pairs and (c, b) in pairs for c in components)
    ]


def updated(page: str) -> str:
    """The page with the picture as the program has it now. Raises :class:`CommandError`."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise CommandError(f"{FILE.name} has no place for the picture: {BEGIN} and {END}")
    return f"{before}{begin}\n\n```mermaid\n{picture(tree())}\n```\n\n{end}{after}"


@command
def main() -> int:
    """Redraw the picture; return the exit code."""
    files.write(FILE, updated(FILE.read_text()))
    print(FILE.relative_to(PROJECT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
