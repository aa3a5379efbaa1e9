"""The report at a terminal."""

import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from commands.diff import terminal
from commands.diff.objects import Content
from commands.diff.report import Report
from tests.unit.commands.diff.samples import reported, sample

WHOLE = Path("out/diff/test.txt")


def shown(report: Report, *, colours: bool = False) -> tuple[str, bool]:
    out = StringIO()
    is_cut = terminal.show(report, Console(file=out, force_terminal=colours), WHOLE)
    return out.getvalue(), is_cut


def test_totals_and_warnings_come_first() -> None:
    text, _ = shown(reported([sample("Service", "a")], []))
    assert text.startswith("test: 1 removed; 0 unchanged\n")
    assert text.index("! deletes Service web/a") < text.index("- Service web/a")


def test_colours_are_for_terminals_only() -> None:
    report = reported([], [sample("Job", "a")])
    assert "\x1b[" in shown(report, colours=True)[0]
    assert "\x1b[" not in shown(report)[0]


def test_long_objects_are_cut_with_a_pointer_to_the_whole() -> None:
    report = reported([], [sample("Job", "a", {f"key{n}": n for n in range(100)})])
    text, is_cut = shown(report)
    assert is_cut
    assert "more lines" in text
    assert "cut; the whole is in out/diff/test.txt" in text
    assert "key99: 99" not in text
    assert "key99: 99" in terminal.plain(report)


def test_markup_in_a_value_is_text() -> None:
    report = reported([sample("Job", "a", {"x": "[red]1"})], [sample("Job", "a", {"x": "[/]2"})])
    assert "spec.x: [red]1 → [/]2" in shown(report)[0]


def test_json_on_one_line_is_compared_line_by_line() -> None:
    panels = [{"title": f"panel {n}", "type": "graph"} for n in range(20)]
    old, new = json.dumps(panels), json.dumps([*panels[:-1], {"title": "last", "type": "graph"}])
    text, _ = shown(
        reported(
            [sample("ConfigMap", "a", data={"a.json": old})],
            [sample("ConfigMap", "a", data={"a.json": new})],
        )
    )
    assert '-     "title": "panel 19",' in text
    assert '+     "title": "last",' in text
    assert "panel 3" not in text


def test_derived_annotations_are_one_small_line_at_the_end() -> None:
    def deployment(checksum: str, replicas: int) -> Content:
        annotations = {"checksum/config": checksum}
        return sample(
            "Deployment",
            "a",
            {"replicas": replicas, "template": {"metadata": {"annotations": annotations}}},
        )

    text, _ = shown(reported([deployment("a" * 64, 1)], [deployment("b" * 64, 2)]))
    assert text.index("spec.replicas: 1 → 2") < text.index('["checksum/config"] differs')
    assert "a" * 64 not in text
