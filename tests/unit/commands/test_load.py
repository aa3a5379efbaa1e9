"""Constant load, with a fake vegeta."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from commands.errors import CommandError
from commands.load import Load

STARTED = "2026-11-29T22:00:00.123456789Z"
VEGETA = f"""\
#!{sys.executable}
import sys, time
if sys.argv[1] == "attack":
    sys.stdin.read()
    sys.stdout.write(open("{{folder}}/results").read())
    sys.stdout.flush()
    time.sleep({{seconds}})
else:
    for line in sys.stdin:
        sys.stdout.write(line)
        sys.stdout.flush()
"""


def result(code: int = 200, error: str = "", **changes: Any) -> str:
    headers = {"X-Pod": ["beacon-canary-1"], "X-Version": ["1.0.0"]} if code else None
    known = {"timestamp": STARTED, "latency": 500_000_000, "code": code, "body": "aGk="}
    return json.dumps({**known, "headers": headers, "error": error, **changes})


@pytest.fixture
def vegeta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with a vegeta that prints the file `results`."""
    write(tmp_path, seconds=30)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "results").write_text(f"{result()}\n{result(0, 'connection refused')}\n")
    return tmp_path


def write(folder: Path, *, seconds: float) -> None:
    (folder / "vegeta").write_text(VEGETA.format(folder=folder, seconds=seconds))
    (folder / "vegeta").chmod(0o755)


@pytest.mark.parametrize(
    ("header", "version"), [("X-Version", "1.0.0"), ("x-pod", "beacon-canary-1"), ("", "")]
)
def test_a_version_is_what_the_header_of_a_response_says(
    vegeta: Path, header: str, version: str
) -> None:
    with Load("http://shop.example.com/", 50, version_header=header) as load:
        deadline = time.monotonic() + 20
        while len(load.results) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        load.check()
        served, refused = load.results
        assert (served.version, served.status, served.body) == (version, 200, "hi")
        assert load.between(served.received, served.received + 1) == [served, refused]
        assert load.between(0, served.received) == []
    assert load.failures == [refused]


def test_an_ended_generator_is_an_error_and_not_a_service_without_failures(vegeta: Path) -> None:
    write(vegeta, seconds=0)
    with Load("http://a", 1) as load, pytest.raises(CommandError, match="vegeta ended"):
        for _ in range(100):
            time.sleep(0.1)
            load.check()
