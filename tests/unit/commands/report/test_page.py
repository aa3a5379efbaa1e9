"""The page of a report."""

import re

import pytest

from commands.report.data import Line, Mark, Panel, Report, Table
from commands.report.page import render

HOSTILE = "</script><script>alert(1)</script>\u202e\x1b[31m<img src=x onerror=alert(2)>"


def page(report: Report) -> str:
    """The page without the script of plotly, which is long."""
    return re.sub(r"<script>/\*\*.*?</script>", "", render(report), count=1, flags=re.DOTALL)


@pytest.fixture(scope="module")
def hostile() -> str:
    report = Report(HOSTILE, 0, 100)
    report.missing.append(HOSTILE)
    report.marks.append(Mark(50, HOSTILE, "verdict"))
    report.panels.append(
        Panel(HOSTILE, HOSTILE, [Line(HOSTILE, (0, 50), (1, 2))], [(HOSTILE, 1)], HOSTILE)
    )
    report.tables += [
        Table(HOSTILE, (HOSTILE, "b"), [(HOSTILE, "2")]),
        Table("Log lines", ("line",), [(HOSTILE,)]),
    ]
    return page(report)


def test_text_of_others_is_shown_and_not_executed(hostile: str) -> None:
    assert "alert(1)</script>" not in hostile
    assert "<img" not in hostile
    assert "\u202e" not in hostile
    assert "&lt;/script&gt;" in hostile


def test_the_file_loads_nothing(hostile: str) -> None:
    assert "default-src 'none'" in hostile
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", hostile) == []
    assert "http://" not in hostile.replace("http://www.w3.org", "")


def test_steps_and_verdict_are_numbered_in_their_order() -> None:
    report = Report("beacon", 0, 100)
    report.marks += [Mark(80, "rolled back", "verdict"), Mark(20, "canary at 10 %")]
    report.panels.append(Panel("Requests", "requests/s", [Line("stable 1.0.0", (0, 9), (1, 2))]))
    text = page(report)
    assert text.index("canary at 10 %") < text.index("rolled back")
    assert text.count('"shapes"') == 1


def test_a_report_without_any_data_says_what_is_missing() -> None:
    report = Report("beacon", 0, 100, missing=["metrics: prometheus is down"])
    assert "<li>metrics: prometheus is down</li>" in page(report)
