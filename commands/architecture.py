"""``make architecture``: the diagram in docs/architecture.md, drawn from the program.

Runs the program under the SDK's mocks on a stack with a canary and bundled observability, and draws
the resource tree that it registers.
"""

import os
import runpy
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pulumi.runtime import Mocks, set_all_config, set_mocks
from pulumi.runtime import test as wait_for_resources
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs

from commands.errors import CommandError, report_errors
from local import files
from render import UNBUILT, engine_config
from settings.stack_file import PROJECT_FOLDER

FILE = PROJECT_FOLDER / "docs" / "architecture.md"
BEGIN, END = "<!-- made by `make architecture` -->", "<!-- end -->"

_PREFIX = "slipway:"
_SETTINGS: Mapping[str, Any] = {
    "namespace": {"name": "beacon"},
    "image": {"registry": "registry.example.com", "repository": "slipway/beacon"},
    "routing": {"host": "beacon.example.com"},
    "observability": {"mode": "bundled"},
}


@dataclass
class Node:
    """A component or a resource of the tree."""

    type: str
    name: str
    parent: str
    dependencies: set[str]
    """URNs."""
    resources: Counter[str] = field(default_factory=Counter)
    """Number of child resources by kind."""

    @property
    def kind(self) -> str:
        """The last part of its type."""
        return self.type.rpartition(":")[2]

    @property
    def is_component(self) -> bool:
        """True for a component resource of this program."""
        return self.type.startswith(_PREFIX)


class _Mocks(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        outputs = {"digest": UNBUILT, "repoDigest": f"unbuilt@{UNBUILT}", "result": "drawn"}
        return args.name, {**outputs, **args.inputs}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(f"{args.token} cannot be answered without a provider")


class _Monitor(MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Mocks())
        self.nodes: dict[str, Node] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            dependencies = set(request.dependencies)
            self.nodes[response.urn] = Node(
                request.type, request.name, request.parent, dependencies
            )
        return response


def tree() -> Mapping[str, Node]:
    """Every component and resource of the program, by URN."""
    version = (PROJECT_FOLDER / "app" / "VERSION").read_text().strip()
    canary = {"version": version, "weight": 10}
    stable = {"version": "0.0.1", "digest": UNBUILT}
    release = {"strategy": "canary", "stable": stable, "canary": canary}
    set_all_config(*engine_config({**_SETTINGS, "release": release}))
    monitor = _Monitor()
    set_mocks(_Mocks(), project="slipway", stack="diagram", preview=False, monitor=monitor)
    _run_program()
    return monitor.nodes


@wait_for_resources
def _run_program() -> None:
    os.chdir(PROJECT_FOLDER)
    runpy.run_path("__main__.py", run_name="__main__")


def diagram(nodes: Mapping[str, Node]) -> str:
    """Mermaid flowchart of the components; arrows go from a dependency to its dependents."""
    # Registration is concurrent, so its order differs between runs.
    ordered = sorted(nodes.items(), key=lambda item: (item[1].type, item[1].name))
    components = {urn: node for urn, node in ordered if node.is_component}
    for node in nodes.values():
        if not node.is_component and node.parent in components:
            components[node.parent].resources[node.kind] += 1
    identifiers = {urn: f"c{number}" for number, urn in enumerate(components)}
    lines = ["flowchart LR"]
    for urn, node in components.items():
        if node.parent not in components:
            lines += _box(urn, components, identifiers, 1)
    lines += sorted(
        f"  {identifiers[a]} --> {identifiers[b]}" for a, b in _edges(nodes, components)
    )
    return "\n".join(lines)


def _box(
    urn: str, components: Mapping[str, Node], identifiers: Mapping[str, str], depth: int
) -> Iterator[str]:
    node, margin = components[urn], "  " * depth
    title = f"<b>{node.kind}</b> {node.name}"
    resources = "<br/>".join(
        kind if number == 1 else f"{number} {kind}"
        for kind, number in sorted(node.resources.items())
    )
    inner = [other for other, child in components.items() if child.parent == urn]
    if not inner:
        yield f'{margin}{identifiers[urn]}["{title}{"<br/>" if resources else ""}{resources}"]'
        return
    yield f'{margin}subgraph {identifiers[urn]}["{title}"]'
    if resources:
        yield f'{margin}  {identifiers[urn]}x["{resources}"]'
    for other in inner:
        yield from _box(other, components, identifiers, depth + 1)
    yield f"{margin}end"


def _edges(nodes: Mapping[str, Node], components: Mapping[str, Node]) -> Sequence[tuple[str, str]]:
    """Pairs of top-level components: the second depends on the first."""

    def outermost(urn: str) -> str | None:
        found = None
        while urn in nodes:
            found = urn if urn in components else found
            urn = nodes[urn].parent
        return found

    pairs = {
        (before, after)
        for urn, node in nodes.items()
        for dependency in node.dependencies
        if (before := outermost(dependency)) and (after := outermost(urn)) and before != after
    }
    # Without the transitive ones.
    return [
        (a, b) for a, b in pairs if not any((a, c) in pairs and (c, b) in pairs for c in components)
    ]


def updated(page: str) -> str:
    """The page with the current diagram. Raises :class:`CommandError` if it has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise CommandError(f"{FILE.name} has no place for the diagram: {BEGIN} and {END}")
    return f"{before}{begin}\n\n```mermaid\n{diagram(tree())}\n```\n\n{end}{after}"


@report_errors
def main() -> int:
    """Redraw the diagram; return the exit code."""
    files.write(FILE, updated(FILE.read_text()))
    print(FILE.relative_to(PROJECT_FOLDER))
    return 0


if __name__ == "__main__":
    sys.exit(main())
