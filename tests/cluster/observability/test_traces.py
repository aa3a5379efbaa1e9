"""The limit on the spans that are stored."""

import time

import httpx
import pytest

from components.observability.addresses import COLLECTOR, COLLECTOR_METRICS, JAEGER_METRICS
from tests.cluster.observability.servers import Servers
from tests.cluster.project import wait_until
from tests.otlp import export_request, new_trace_id

pytestmark = pytest.mark.timeout(600)

FLOOD_SECONDS = 30
WINDOW_SECONDS = 10
RECEIVED = "otelcol_receiver_accepted_spans(_total)?"
DECIDED = "otelcol_processor_tail_sampling_count_spans_sampled(_total)?"


def total(servers: Servers, counter: str, job: str, *matchers: str) -> int:
    """Return the sum of a counter of the collector or of Jaeger."""
    matchers = (f'__name__=~"{counter}"', f'job="{job}"', *matchers)
    return sum(int(one.value) for one in servers.query(f"sum({{{','.join(matchers)}}})"))


def test_a_flood_of_spans_is_cut_to_the_rate_of_the_volume(servers: Servers) -> None:
    def stored() -> int:
        return total(servers, RECEIVED, JAEGER_METRICS.server)

    def dropped() -> int:
        return total(servers, DECIDED, COLLECTOR_METRICS.server, 'sampled="false"')

    before = stored() + dropped(), stored()
    url = f"http://127.0.0.1:{servers.forward(COLLECTOR).port}/v1/traces"
    sent, start = 0, time.monotonic()
    with httpx.Client() as client:
        while time.monotonic() < start + FLOOD_SECONDS:
            # Half of it in one trace: a client can choose the trace ID.
            for trace_id in (new_trace_id(), "1" * 32):
                client.post(url, json=export_request(trace_id, 10)).raise_for_status()
                sent += 10
            time.sleep(0.05)
    wait_until("all decisions", lambda: stored() + dropped() - before[0] >= sent, 60, interval=2)
    limit = servers.settings.observability.traces.spans_per_second
    assert sent > 3 * limit * FLOOD_SECONDS
    other_windows = 4  # the first and the last one, and those of the wait for other spans
    assert stored() - before[1] <= limit * (FLOOD_SECONDS + other_windows * WINDOW_SECONDS)
