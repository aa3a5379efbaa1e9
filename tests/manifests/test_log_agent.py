"""The log agent's receiver in an OpenTelemetry Collector: reads every line once, in any format."""

import gzip
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.observability.collector_agent import agent_config
from tests.cluster.project import read_until
from tests.unit.components.observability.servers import args_of
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
LEVELS = {
    '{"level":"WARN","msg":"slog"}': "warn",
    '{"level":"INFO+2","msg":"slog"}': "info",
    '{"level":"ERROR-1","msg":"slog"}': "error",
    '{"level":4,"msg":"slog as a number"}': "warn",
    '{"level":-4,"msg":"slog as a number"}': "debug",
    '{"level":"dpanic","msg":"zap"}': "fatal",
    '{"level":1,"msg":"zap as a number"}': "warn",
    '{"level":"warning","msg":"logrus"}': "warn",
    '{"level":"trace","message":"zerolog"}': "trace",
    '{"level":40,"msg":"bunyan"}': "warn",
    '{"severity":"CRITICAL","message":"cloud"}': "fatal",
    '{"log.level":"error","message":"ecs"}': "error",
    'time=2026-01-01T00:00:00Z level=WARN+1 msg="slog text"': "warn",
    'time="2026-01-01T00:00:00Z" level=warning msg="logrus text"': "warn",
    '{"level":"odd","msg":"unknown"}': None,
    f'{{"level":"{"x" * 70_000}","msg":"long"}}': None,
    "text with level = nothing": None,
}
"""Level of each line."""
OWN_KEYS = f'{{"prio":"warn","level":"7","span":"00f067aa0ba902b7","trace":"{TRACE}"}}'
STREAMS = ["panic: of stderr", "  indented line of stdout", "\tat main.go:1"]
ROTATED = ["rotated while the agent was stopped", '{"level":"info","rotated":true}']
PANIC = ["panic: boom", "", "goroutine 1 [running]:", "main.main()", "\t/src/main.go:3 +0x1d"]


def make_log_folder(pods: Path, pod: str, container: str = "one") -> Path:
    """Make the log folder of a pod's only container, like the kubelet."""
    folder = pods / f"{pod}_5cfeb8d4-4ba5-4fbd-848b-670f4cf76789" / container
    folder.mkdir(parents=True)
    return folder


def rotated_log(log: Path, rotated: str) -> Path:
    """Path of a log file that the kubelet has rotated."""
    return log.with_name(f"{log.name}.{rotated}")


def cri_format(*lines: str, stream: str = "stdout") -> str:
    """Lines in the format of the container runtime."""
    return "".join(
        f"2026-01-01T00:00:00.{number:09}Z {stream} F {line}\n" for number, line in enumerate(lines)
    )


@pytest.fixture(scope="module")
def output(checkers: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Output of the collector: the log records of the agent's receiver."""
    folder = tmp_path_factory.mktemp("pods")
    log = make_log_folder(folder, "beacon-test_pod") / "0.log"
    of_stderr, of_stdout, trace = STREAMS
    log.write_text(
        cri_format(*LINES, *LEVELS, *PANIC, "before")
        + cri_format(of_stderr, stream="stderr")
        + cri_format(of_stdout)
        + cri_format(trace, stream="stderr")
        + cri_format("end")
    )
    own_keys = make_log_folder(folder, "beacon-test_own", "beacon") / "0.log"
    own_keys.write_text(cri_format(OWN_KEYS))
    rotated_log(log, "20260101-000000").write_text(cri_format(*ROTATED))
    rotated_log(log, "20251231-000000.gz").write_bytes(
        gzip.compress(cri_format("compressed").encode())
    )
    rotated_log(log, "20251231-000000.tmp").write_text(cri_format("half compressed"))
    for pod in ("monitoring_loki-0", "monitoring-node_collector-agent-x"):
        own = make_log_folder(folder, pod) / "0.log"
        for file in (own, rotated_log(own, "20260101-000000")):
            file.write_text(cri_format("about a line"))
    keys = {"level": ["prio"], "traceId": ["trace"], "spanId": ["span"]}
    stack = settings(observability={"mode": "bundled"}, logs={"keys": keys})
    receiver = agent_config(args_of(stack))["receivers"]["filelog/loki"]
    for key in ("include", "exclude"):
        receiver[key] = [path.replace("/var/log/pods", str(folder)) for path in receiver[key]]
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
    # Rename atomically: without a log file, the collector would log an error.
    following = rotated_log(log, "next")
    following.write_text(cri_format("after the rotation"))
    rotated_log(log, "20260102-000000").hardlink_to(log)
    following.replace(log)
    printed += read_until("Body: Str(after the rotation)", collector)
    collector.terminate()
    return printed + collector.communicate(timeout=30)[0]


def bodies(output: str) -> list[str]:
    """Bodies of the log records; of a multiline body, the first line."""
    return re.findall(r"^Body: Str\((.*?)\)?$", output, re.MULTILINE)


def test_every_line_is_read_once_and_unchanged(output: str) -> None:
    found = bodies(output)
    assert sorted(body for body in found if body in LINES) == sorted(LINES)


def test_a_log_that_was_rotated_while_the_agent_was_stopped_is_read_once(output: str) -> None:
    assert sorted(body for body in bodies(output) if body in ROTATED) == sorted(ROTATED)
    for line in ROTATED:
        (resource,) = (
            part for part in output.split("ResourceLog #") if f"Body: Str({line})" in part
        )
        for attribute in (
            "k8s.namespace.name: Str(beacon-test)",
            "k8s.pod.name: Str(pod)",
            "k8s.pod.uid: Str(5cfeb8d4-4ba5-4fbd-848b-670f4cf76789)",
            "k8s.container.name: Str(one)",
            "k8s.container.restart_count: Str(0)",
        ):
            assert attribute in resource


def test_compressed_logs_and_logs_of_the_collectors_are_not_read(output: str) -> None:
    assert not {"compressed", "half compressed", "about a line"} & {*bodies(output)}
    joined = ["a stack trace", "a stack trace of stderr", "before with a line of stdout", OWN_KEYS]
    assert len(bodies(output)) == len(
        [*LINES, *LEVELS, *ROTATED, *joined, "end", "after the rotation"]
    )


def test_a_stack_trace_is_one_log_record(output: str) -> None:
    assert f"Body: Str({chr(10).join(PANIC)})" in output


def test_lines_of_stdout_do_not_continue_those_of_stderr(output: str) -> None:
    of_stderr, of_stdout, trace = STREAMS
    assert f"Body: Str({of_stderr}\n{trace})" in output
    assert f"Body: Str(before\n{of_stdout})" in output


@pytest.mark.parametrize(("line", "level"), LEVELS.items(), ids=lambda value: str(value)[:40])
def test_levels_of_common_loggers_are_recognized(output: str, line: str, level: str | None) -> None:
    (record,) = (part for part in output.split("LogRecord #") if f"Body: Str({line})" in part)
    found = re.findall(r"-> level: Str\((.*)\)", record)
    assert found == ([level] if level else [])
    number = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
    assert f"({number[level] if level else 0})" in record.split("SeverityNumber: ")[1][:20]


def test_a_service_may_have_keys_of_its_own(output: str) -> None:
    (record,) = (part for part in output.split("LogRecord #") if f"Body: Str({OWN_KEYS})" in part)
    assert "-> level: Str(warn)" in record
    assert f"Trace ID: {TRACE}" in record
    assert "Span ID: 00f067aa0ba902b7" in record


def test_no_error_is_logged(output: str) -> None:
    assert "\terror\t" not in output


def test_level_and_trace_id_are_fields_of_the_log_record(output: str) -> None:
    (record,) = (part for part in output.split("LogRecord #") if f'"{TRACE}","span_id":""' in part)
    assert "-> level: Str(warn)" in record
    assert f"Trace ID: {TRACE}" in record
