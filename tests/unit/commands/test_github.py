"""One comment and one issue, kept up to date through a stand-in for `gh`."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands import github

MARKER = "<!-- slipway-preview: prod -->"
GH = """#!/usr/bin/env python3
import json, os, pathlib, sys
folder = pathlib.Path(os.environ["GH_FOLDER"])
arguments = sys.argv[1:]
body = json.loads(sys.stdin.read()) if "--input" in arguments else None
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps([arguments[1], arguments[3], body]) + "\\n")
fails = folder / "fails"
if fails.exists():
    left = int(fails.read_text())
    fails.write_text(str(left - 1))
    if left > 0:
        sys.exit("HTTP 502")
if arguments[3] == "GET":
    print((folder / "there").read_text())
"""


class GitHub:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.there()

    def there(self, *known: dict[str, Any]) -> None:
        lines = "\n".join(json.dumps(one) for one in known)
        (self.folder / "there").write_text(lines)

    def fails(self, times: int) -> None:
        (self.folder / "fails").write_text(str(times))

    @property
    def changes(self) -> list[Any]:
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [call for call in map(json.loads, lines) if call[1] != "GET"]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    program = tmp_path / "gh"
    program.write_text(GH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("GH_FOLDER", str(tmp_path))
    monkeypatch.setattr(github, "_PAUSE", 0.0)
    return GitHub(tmp_path)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        file = tmp_path / "comment.md"
        file.write_text(text)
        return file

    return write


def post(file: Path) -> int:
    return github.main(["comment", "--file", str(file), "--pull-request", "7"])


def test_a_first_comment_is_posted(hub: GitHub, written) -> None:
    hub.there({"id": 1, "number": None, "body": "<!-- slipway-preview: dev -->\nother"})
    assert post(written(f"{MARKER}\nnew")) == 0
    path, method, body = hub.changes[0]
    assert (path, method) == ("repos/{owner}/{repo}/issues/7/comments", "POST")
    assert body == {"body": f"{MARKER}\nnew"}


def test_the_comment_that_is_there_is_updated_in_place(hub: GitHub, written) -> None:
    hub.there({"id": 5, "number": None, "body": f"{MARKER}\nold"})
    assert post(written(f"{MARKER}\nnew")) == 0
    assert [call[:2] for call in hub.changes] == [
        ["repos/{owner}/{repo}/issues/comments/5", "PATCH"]
    ]


@pytest.mark.parametrize(
    "text", ["", MARKER, f"{MARKER}\n  \n", "new", f"{MARKER}\n{'x' * 66_000}"]
)
def test_half_a_comment_replaces_nothing(hub: GitHub, written, text: str, capsys) -> None:
    assert post(written(text)) == 2
    assert hub.changes == []
    assert "error: " in capsys.readouterr().err


def test_a_missing_file_replaces_nothing(hub: GitHub, tmp_path: Path) -> None:
    assert post(tmp_path / "none.md") == 2
    assert hub.changes == []


def test_a_question_is_asked_again_where_the_network_fails(hub: GitHub, written) -> None:
    hub.fails(2)
    assert post(written(f"{MARKER}\nnew")) == 0
    assert len(hub.changes) == 1


def test_a_github_that_stays_away_is_an_error(hub: GitHub, written, capsys) -> None:
    hub.fails(99)
    assert post(written(f"{MARKER}\nnew")) == 1
    assert "GitHub did not take it: HTTP 502" in capsys.readouterr().err


def test_a_number_that_is_none_is_named(hub: GitHub, written, capsys) -> None:
    file = written(f"{MARKER}\nnew")
    assert github.main(["comment", "--file", str(file), "--pull-request", "x/y"]) == 2
    assert "PR=x/y is not a pull request's number" in capsys.readouterr().err


def test_drift_opens_one_issue_updates_it_and_closes_it(hub: GitHub, written) -> None:
    marker = "<!-- slipway-drift: prod -->"
    file = written(f"{marker}\n### Drift in `prod`\n\ntext")
    assert github.issue(file, resolved=True) == "no issue is open"
    assert github.issue(file, resolved=False) == "opened an issue"
    assert hub.changes[-1][2]["title"] == "Drift in prod"
    hub.there({"id": 1, "number": 3, "body": f"{marker}\nold"})
    assert github.issue(file, resolved=False) == "updated issue 3"
    assert github.issue(file, resolved=True) == "closed issue 3"
    assert hub.changes[-1][2]["state"] == "closed"
