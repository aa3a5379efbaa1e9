"""Steady load, with a fake vegeta."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from commands.drill.load import Load, parse, target
from commands.errors import CommandError

STARTED = "2026-11-29T22:00:00.123456789Z"
VEGETA = f"""\
#!{sys.executable}
import sys, time
if sys.argv[1] == "attack":
    sys.stdout.write(open("{{folder}}/results").read())
    open("{{folder}}/target", "w").write(sys.stdin.read())
    open("{{folder}}/arguments", "w").write(" ".join(sys.argv[2:]))
    sys.stdout.flush()
    time.sleep({{seconds}})
else:
    for line in sys.stdin:
        sys.stdout.write(line)
        sys.stdout.flush()
    time.sleep({{seconds}})
"""


def result(code: int = 200, **changes: Any) -> str:
    headers = {"X-Pod": ["beacon-canary-1"]}
    given = {"timestamp": STARTED, "latency": 500_000_000, "code": code, "headers": headers}
    return json.dumps(given | changes)


def load(folder: Path, *results: str, seconds: float = 30) -> Load:
    program = folder / "vegeta"
    program.write_text(VEGETA.format(folder=folder, seconds=seconds))
    program.chmod(0o755)
    (folder / "results").write_text("".join(f"{one}\n" for one in results))
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return Load("http://beacon.localhost:8080/", 50, "X-Pod", {"PATH": path})


def test_the_responses_of_an_interval_are_in_the_order_of_their_ends(tmp_path: Path) -> None:
    results = (result(latency=int(seconds * 1e9)) for seconds in (3, 0.5, 1))
    with load(tmp_path, *results) as running:
        deadline = time.monotonic() + 20
        while len(running.between(0, time.time())) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        begin = running.between(0, time.time())[0].ended
        assert [one.seconds for one in running.between(begin, begin + 2)] == [0.5, 1]
    assert "-rate=50/1s" in (tmp_path / "arguments").read_text()


def test_an_ended_generator_is_an_error_and_not_a_service_without_failures(tmp_path: Path) -> None:
    with load(tmp_path, seconds=0) as running, pytest.raises(CommandError, match="vegeta ended"):
        for _ in range(100):
            time.sleep(0.1)
            running.check()


def test_a_missing_generator_is_named() -> None:
    with pytest.raises(CommandError, match="vegeta is not in PATH"), Load("http://a", 1, "", {}):
        pass


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (
            "http://beacon.localhost:8080/a",
            "GET http://127.0.0.1:8080/a\nHost: beacon.localhost:8080\n",
        ),
        ("http://shop.localhost/", "GET http://127.0.0.1:80/\nHost: shop.localhost\n"),
        ("http://shop.example.com/", "GET http://shop.example.com/\n"),
    ],
)
def test_a_name_below_localhost_is_this_machine(url: str, text: str) -> None:
    assert target(url) == text


@pytest.mark.parametrize(
    ("code", "is_failed"), [(200, False), (302, False), (404, True), (500, True), (0, True)]
)
def test_a_request_fails_without_a_response_and_from_status_400_on(
    code: int, is_failed: bool
) -> None:
    response = parse(
        result(code, headers=None if code == 0 else {"x-pod": ["a"]}).encode(), "X-Pod"
    )
    assert (response.is_failed, response.source) == (is_failed, "" if code == 0 else "a")
