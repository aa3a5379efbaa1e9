import pytest

from components.observability.collector_gateway import gateway_config
from settings import TracesSettings, parse_quantity


@pytest.mark.parametrize(
    ("volume_size", "retention_days", "spans"),
    [("20Gi", 3, 323), ("20Gi", 6, 161), ("40Gi", 3, 647), ("221184k", 1, 10)],
)
def test_the_spans_of_the_retention_fit_into_the_volume(
    volume_size: str, retention_days: int, spans: int
) -> None:
    traces = TracesSettings(volume_size=volume_size, retention_days=retention_days)
    config = gateway_config(traces, "monitoring")
    processors = config["processors"]
    order = config["service"]["pipelines"]["traces"]["processors"]
    limits = [name for name in order if name.startswith("tail_sampling")]
    assert limits
    for name in limits:
        (policy,) = processors[name]["policies"]
        assert policy["rate_limiting"] == {"spans_per_second": spans + 1}
    window = int(processors["batch/window"]["timeout"].removesuffix("s"))
    stored = spans / window * retention_days * 86_400 * 2048
    assert stored <= 0.8 * float(parse_quantity(volume_size))
    # Otherwise a flood would fill several batches in one window.
    assert processors["batch/window"]["send_batch_size"] > spans * window
