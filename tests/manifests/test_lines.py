"""What the agent's real program makes of lines: none is lost, whatever it looks like."""

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
ROTATED = ["rotated while the agent was away", '{"level":"info","rotated":true}']
PANIC = ["panic: boom", "", "goroutine 1 [running]:", "main.main()", "\t/src/main.go:3 +0x1d"]


def container_folder(pods: Path, pod: str) -> Path:
    """Make the folder of the logs of a pod's only container, as the kubelet does."""
    folder = pods / f"{pod}_5cfeb8d4-4ba5-4fbd-848b-670f4cf76789" / "one"
    folder.mkdir(parents=True)
    return folder


def beside(log: Path, rotated: str) -> Path:
    """What a log is called once the kubelet has rotated it."""
    return log.with_name(f"{log.name}.{rotated}")


def as_written(*lines: str) -> str:
    """Lines as the container runtime writes them."""
    return "".join(
        f"2026-01-01T00:00:00.{number:09}Z stdout F {line}\n" for number, line in enumerate(lines)
    )


@pytest.fixture(scope="module")
def said(checkers: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Everything that comes out of the agent's receiver, as the collector prints it."""
    folder = tmp_path_factory.mktemp("pods")
    log = container_folder(folder, "beacon-test_pod") / "0.log"
    log.write_text(as_written(*LINES, *PANIC, "end"))
    beside(log, "20260101-000000").write_text(as_written(*ROTATED))
    beside(log, "20251231-000000.gz").write_bytes(gzip.compress(as_written("compressed").encode()))
    beside(log, "20251231-000000.tmp").write_text(as_written("half compressed"))
    for pod in ("monitoring_loki-0", "monitoring-node_collector-agent-x"):
        own = container_folder(folder, pod) / "0.log"
        for file in (own, beside(own, "20260101-000000")):
            file.write_text(as_written("about a line"))
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
    # Without a moment in which there is no log: the collector would say that it found none.
    following = beside(log, "next")
    following.write_text(as_written("after the rotation"))
    beside(log, "20260102-000000").hardlink_to(log)
    following.replace(log)
    printed += read_until("Body: Str(after the rotation)", collector)
    collector.terminate()
    return printed + collector.communicate(timeout=30)[0]


def bodies(said: str) -> list[str]:
    """The lines, as they were printed; the first line of those that were put together."""
    return re.findall(r"^Body: Str\((.*?)\)?$", said, re.MULTILINE)


def test_every_line_comes_out_once_as_it_was_written(said: str) -> None:
    found = bodies(said)
    assert sorted(body for body in found if body in LINES) == sorted(LINES)


def test_what_was_rotated_before_it_was_read_comes_out_once(said: str) -> None:
    assert sorted(body for body in bodies(said) if body in ROTATED) == sorted(ROTATED)
    for line in ROTATED:
        (resource,) = (part for part in said.split("ResourceLog #") if f"Body: Str({line})" in part)
        for attribute in (
            "k8s.namespace.name: Str(beacon-test)",
            "k8s.pod.name: Str(pod)",
            "k8s.pod.uid: Str(5cfeb8d4-4ba5-4fbd-848b-670f4cf76789)",
            "k8s.container.name: Str(one)",
            "k8s.container.restart_count: Str(0)",
        ):
            assert attribute in resource


def test_only_what_is_text_and_of_others_is_read(said: str) -> None:
    assert not {"compressed", "half compressed", "about a line"} & {*bodies(said)}
    assert len(bodies(said)) == len([*LINES, *ROTATED, "a panic", "end", "after the rotation"])


def test_a_stack_trace_comes_out_as_one(said: str) -> None:
    assert f"Body: Str({chr(10).join(PANIC)})" in said


def test_nothing_fails_on_the_way(said: str) -> None:
    assert "\terror\t" not in said


def test_level_and_trace_are_beside_the_line(said: str) -> None:
    (record,) = (part for part in said.split("LogRecord #") if f'"{TRACE}","span_id":""' in part)
    assert "-> level: Str(warn)" in record
    assert f"Trace ID: {TRACE}" in record
