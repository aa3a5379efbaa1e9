"""The limit on stored spans, in an OpenTelemetry Collector: it cuts a flood, and no burst."""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from components.observability import span_limit
from components.observability.collector import telemetry
from components.observability.collector_gateway import gateway_config
from settings import TracesSettings
from tests.cluster.project import wait_until
from tests.manifests.conftest import free_port
from tests.otlp import export_request, new_trace_id

pytestmark = pytest.mark.timeout(900)

TRACES = TracesSettings(volume_size="2Gi", retention_days=1)
WINDOW_SECONDS = 2
FLOOD_SECONDS = 6
BATCH = 50
"""Spans of a request of the flood: enough for a flood on a busy machine."""
SHORT, LONG = "x" * 500, "x" * 5000


class Jaeger:
    """Receives spans as OTLP/HTTP in JSON."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        received = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received.extend(
                    span
                    for resource in body["resourceSpans"]
                    for scope in resource["scopeSpans"]
                    for span in scope["spans"]
                )
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def traces(self) -> Counter[str]:
        """Number of spans by trace ID."""
        return Counter(span["traceId"] for span in self.spans)


@pytest.fixture
def jaeger() -> Iterator[Jaeger]:
    jaeger = Jaeger()
    threading.Thread(target=jaeger.server.serve_forever, daemon=True).start()
    yield jaeger
    jaeger.server.shutdown()
    jaeger.server.server_close()


@dataclass(frozen=True)
class Gateway:
    """A running gateway, which receives spans and counts them."""

    client: httpx.Client
    port: int
    metrics_port: int

    @property
    def url(self) -> str:
        """URL that traces are sent to."""
        return f"http://127.0.0.1:{self.port}/v1/traces"

    def is_ready(self, process: "subprocess.Popen[bytes]") -> bool:
        """True if the gateway accepts spans."""
        assert process.poll() is None
        try:
            return self.client.post(self.url, json={}).status_code == httpx.codes.OK
        except httpx.ConnectError:
            return False

    def send(self, trace_id: str, spans: int, **attributes: str) -> None:
        """Send spans of one trace in one request."""
        body = export_request(trace_id, spans, **attributes)
        self.client.post(self.url, json=body).raise_for_status()

    def counted_spans(self, decision: str) -> int:
        """Value of the collector's counter."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        return sum(
            int(float(line.rpartition(" ")[2]))
            for line in self.client.get(url).raise_for_status().text.splitlines()
            if "count_spans_sampled" in line and f'sampled="{decision}"' in line
        )


@pytest.fixture
def gateway(
    checkers: Path, jaeger: Jaeger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gateway]:
    """Run the gateway with a short window, and without the API server."""
    port, metrics_port = free_port(), free_port()
    monkeypatch.setattr(span_limit, "_WINDOW_SECONDS", WINDOW_SECONDS)
    monkeypatch.setattr(span_limit, "_DECISION_SECONDS", 1)
    config = gateway_config(TRACES, "monitoring")
    config["receivers"]["otlp"]["protocols"] = {"http": {"endpoint": f"127.0.0.1:{port}"}}
    del config["processors"]["k8sattributes"]
    config["service"]["telemetry"] = telemetry(metrics_port)
    config["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{free_port()}"
    pipeline = config["service"]["pipelines"]["traces"]
    pipeline["processors"].remove("k8sattributes")
    endpoint = f"http://127.0.0.1:{jaeger.server.server_port}"
    exporter = {"endpoint": endpoint, "encoding": "json", "compression": "none"}
    config["exporters"] = {"otlphttp": exporter}
    pipeline["exporters"] = ["otlphttp"]
    file = tmp_path / "collector.yaml"
    file.write_text(yaml.safe_dump(config))
    command = [checkers / "otelcol-k8s", f"--config={file}"]
    process = subprocess.Popen([*command, f"--feature-gates={span_limit.COUNT_SPANS}"])
    try:
        with httpx.Client() as client:
            gateway = Gateway(client, port, metrics_port)
            wait_until("the collector", lambda: gateway.is_ready(process), 30)
            yield gateway
    finally:
        process.terminate()
        process.wait(30)


def test_a_burst_is_stored_with_its_trace_ids(jaeger: Jaeger, gateway: Gateway) -> None:
    spans = WINDOW_SECONDS * TRACES.spans_per_second
    burst = {new_trace_id(): 3 for _ in range(int(spans / 3))}
    for trace_id in burst:
        gateway.send(trace_id, 1, short=SHORT)
        gateway.send(trace_id, 2, short=SHORT, long=LONG)
    wait_until("the burst", lambda: jaeger.traces() == burst, 20)
    lengths = Counter(
        tuple((one["key"], len(one["value"]["stringValue"])) for one in span["attributes"])
        for span in jaeger.spans
    )
    assert lengths == {
        (("short", 500),): len(burst),
        (("short", 128), ("long", 128)): 2 * len(burst),
    }


@pytest.mark.parametrize("is_one_trace", [False, True], ids=["many traces", "one trace"])
def test_a_flood_is_cut_to_the_rate_of_the_volume(
    jaeger: Jaeger, gateway: Gateway, is_one_trace: bool
) -> None:
    trace_id = new_trace_id()
    gateway.send(trace_id, 1)
    wait_until("the first span", lambda: jaeger.traces()[trace_id] == 1, 20)
    sent, start = 1, time.monotonic()
    while time.monotonic() < start + FLOOD_SECONDS:
        gateway.send(trace_id if is_one_trace else new_trace_id(), BATCH)
        sent += BATCH
        time.sleep(0.02)
    assert sent > 10 * TRACES.spans_per_second * FLOOD_SECONDS
    wait_until(
        "all decisions", lambda: len(jaeger.spans) + gateway.counted_spans("false") == sent, 20
    )
    windows = FLOOD_SECONDS // WINDOW_SECONDS + 2
    assert len(jaeger.spans) <= windows * WINDOW_SECONDS * TRACES.spans_per_second
