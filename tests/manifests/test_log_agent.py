"""The log agent's receiver in an OpenTelemetry Collector: reads every line once, in any format."""

import gzip
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.observability.collector import agent_config
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
ROTATED = ["rotated while the agent was stopped", '{"level":"info","rotated":true}']
PANIC = ["panic: boom", "", "goroutine 1 [running]:", "main.main()", "\t/src/main.go:3 +0x1d"]


def make_log_folder(pods: Path, pod: str) -> Path:
    """Make the log folder of a pod's only container, like the kubelet."""
    folder = pods / f"{pod}_5cfeb8d4-4ba5-4fbd-848b-670f4cf76789" / "one"
    folder.mkdir(parents=True)
    return folder


def rotated_log(log: Path, rotated: str) -> Path:
    """Path of a log file that the kubelet has rotated."""
    return log.with_name(f"{log.name}.{rotated}")


def cri_format(*lines: str) -> str:
    """Lines in the format of the container runtime."""
    return "".join(
        f"2026-01-01T00:00:00.{number:09}Z stdout F {line}\n" for number, line in enumerate(lines)
    )


@pytest.fixture(scope="module")
def output(checkers: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Output of the collector: the log records of the agent's receiver."""
    folder = tmp_path_factory.mktemp("pods")
    log = make_log_folder(folder, "beacon-test_pod") / "0.log"
    log.write_text(cri_format(*LINES, *PANIC, "end"))
    rotated_log(log, "20260101-000000").write_text(cri_format(*ROTATED))
    rotated_log(log, "20251231-000000.gz").write_bytes(
        gzip.compress(cri_format("compressed").encode())
    )
    rotated_log(log, "20251231-000000.tmp").write_text(cri_format("half compressed"))
    for pod in ("monitoring_loki-0", "monitoring-node_collector-agent-x"):
        own = make_log_folder(folder, pod) / "0.log"
        for file in (own, rotated_log(own, "20260101-000000")):
            file.write_text(cri_format("about a line"))
    receiver = agent_config(args_of(settings(observability={"mode": "bundled"})))["receivers"][
        "filelog/loki"
    ]
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
    assert len(bodies(output)) == len(
        [*LINES, *ROTATED, "a stack trace", "end", "after the rotation"]
    )


def test_a_stack_trace_is_one_log_record(output: str) -> None:
    assert f"Body: Str({chr(10).join(PANIC)})" in output


def test_no_error_is_logged(output: str) -> None:
    assert "\terror\t" not in output


def test_level_and_trace_id_are_fields_of_the_log_record(output: str) -> None:
    (record,) = (part for part in output.split("LogRecord #") if f'"{TRACE}","span_id":""' in part)
    assert "-> level: Str(warn)" in record
    assert f"Trace ID: {TRACE}" in record
