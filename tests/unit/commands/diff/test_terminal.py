"""Report for a terminal."""

import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from commands.diff import terminal
from commands.diff.manifests import Manifest
from commands.diff.report import Report
from tests.unit.commands.diff.manifests import manifest, report

FULL_REPORT = Path("out/diff/test.txt")


def show(report: Report, *, is_terminal: bool = False) -> tuple[str, bool]:
    out = StringIO()
    console = Console(file=out, force_terminal=is_terminal)
    is_cut = terminal.show(report, console, FULL_REPORT)
    return out.getvalue(), is_cut


def test_totals_and_risky_changes_are_first() -> None:
    text, _ = show(report([manifest("Service", "a")], []))
    assert text.startswith("test: 1 removed; 0 unchanged\n")
    assert text.index("! deletes Service web/a") < text.index("- Service web/a")


def test_colors_are_for_terminals_only() -> None:
    added = report([], [manifest("Job", "a")])
    assert "\x1b[" in show(added, is_terminal=True)[0]
    assert "\x1b[" not in show(added)[0]


def test_a_long_object_is_cut_and_the_full_report_is_named() -> None:
    added = report([], [manifest("Job", "a", {f"key{n}": n for n in range(100)})])
    text, is_cut = show(added)
    assert is_cut
    assert "more lines" in text
    assert "the full report is in out/diff/test.txt" in text
    assert "key99: 99" not in text
    assert "key99: 99" in terminal.plain(added)


def test_markup_in_a_value_is_text() -> None:
    text, _ = show(report([manifest("Job", "a", "[red]1")], [manifest("Job", "a", "[/]2")]))
    assert "spec: [red]1 → [/]2" in text


def test_json_on_one_line_is_compared_line_by_line() -> None:
    panels = [{"title": f"panel {n}", "type": "graph"} for n in range(20)]
    old, new = json.dumps(panels), json.dumps([*panels[:-1], {"title": "last", "type": "graph"}])
    text, _ = show(
        report(
            [manifest("ConfigMap", "a", data={"a.json": old})],
            [manifest("ConfigMap", "a", data={"a.json": new})],
        )
    )
    assert '-     "title": "panel 19",' in text
    assert '+     "title": "last",' in text
    assert "panel 3" not in text


def test_derived_annotations_are_listed_last_without_values() -> None:
    def deployment(checksum: str, replicas: int) -> Manifest:
        annotations = {"checksum/config": checksum}
        template = {"metadata": {"annotations": annotations}}
        return manifest("Deployment", "a", {"template": template, "replicas": replicas})

    text, _ = show(report([deployment("a" * 64, 1)], [deployment("b" * 64, 2)]))
    assert text.index("spec.replicas: 1 → 2") < text.index('["checksum/config"] differs')
    assert "a" * 64 not in text
