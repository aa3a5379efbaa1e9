"""What the agent's real program makes of lines: none is lost, whatever it looks like."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.observability.collector import agent_config
from tests.cluster.project import read_until
from tests.unit.stacks import settings

pytestmark = pytest.mark.timeout(900)

TRACE = "0af7651916cd43dd8448eb211c80319c"
LINES = [
    "plain",
    "{not json}",
    "[1,2]",
    '{"a":}',
    '{"trace_id":"not hexadecimal"}',
    "{}",
    '{"level":5,"trace_id":7}',
    '{"level":"odd"}',
    f'{{"level":"warn","trace_id":"{TRACE}","span_id":""}}',
    f'{{"level":"error","trace_id":"{TRACE}","span_id":"xyz"}}',
]
PANIC = ["panic: boom", "", "goroutine 1 [running]:", "main.main()", "\t/src/main.go:3 +0x1d"]


@pytest.fixture(scope="module")
def said(checkers: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Everything that comes out of the agent's receiver, as the collector prints it."""
    folder = tmp_path_factory.mktemp("pods")
    log = folder / "home_pod_5cfeb8d4-4ba5-4fbd-848b-670f4cf76789" / "one" / "0.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        "".join(
            f"2026-01-01T00:00:00.{number:09}Z stdout F {line}\n"
            for number, line in enumerate([*LINES, *PANIC, "end"])
        )
    )
    receiver = agent_config(settings(observability={"mode": "bundled"}))["receivers"][
        "filelog/loki"
    ]
    receiver |= {"include": [f"{folder}/*/*/*.log"], "exclude": []}
    del receiver["storage"]
    config: dict[str, Any] = {
        "receivers": {"filelog": receiver},
        "exporters": {"debug": {"verbosity": "detailed"}},
        "service": {
            "pipelines": {"logs": {"receivers": ["filelog"], "exporters": ["debug"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
    }
    file = folder / "collector.yaml"
    file.write_text(yaml.safe_dump(config))
    collector = subprocess.Popen(
        [checkers / "otelcol-k8s", "--config", file],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    printed = read_until("Body: Str(end)", collector)
    collector.terminate()
    return printed + collector.communicate(timeout=30)[0]


def test_every_line_comes_out_once_as_it_was_written(said: str) -> None:
    bodies = re.findall(r"^Body: Str\((.*)\)$", said, re.MULTILINE)
    assert sorted(body for body in bodies if body in LINES) == sorted(LINES)


def test_a_stack_trace_comes_out_as_one(said: str) -> None:
    assert f"Body: Str({chr(10).join(PANIC)})" in said


def test_nothing_fails_on_the_way(said: str) -> None:
    assert "\terror\t" not in said


def test_level_and_trace_are_beside_the_line(said: str) -> None:
    (record,) = (part for part in said.split("LogRecord #") if f'"{TRACE}","span_id":""' in part)
    assert "-> level: Str(warn)" in record
    assert f"Trace ID: {TRACE}" in record
