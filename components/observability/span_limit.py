"""Limit on the spans that are stored, derived from the size of Jaeger's volume.

Jaeger's storage has a retention but no maximum size.
"""

from components.observability.collector import Config
from settings import TracesSettings

COUNT_SPANS = "processor.tailsamplingprocessor.metricstatcountspanssampled"
"""Feature gate that also counts the spans of dropped traces, not only the traces."""
_DECISION_SECONDS = 5
"""Time for the spans of a trace to arrive: OpenTelemetry's SDKs export every 5 s."""
_WINDOW_SECONDS = 10
_TRACE_ID = "collector.trace_id"
"""Attribute with the trace ID of a span."""
_MAX_ATTRIBUTES = 32
_MAX_LENGTH = 1024
"""Maximum length of all attributes of a span together, and of one attribute of an event."""
_CUT_LENGTH = 128
"""Length of each attribute of a longer span. Clients choose about five: path, query, user agent…"""


def span_limit(traces: TracesSettings) -> Config:
    """Processors that drop the traces above the rate for which the volume has space.

    ``tail_sampling`` counts the spans of a second. It runs a second time after all spans of a
    window were batched, so that the limit is for the window: a burst is stored, a flood is not.
    """
    spans_per_window = int(traces.spans_per_second * _WINDOW_SECONDS)
    return {
        "transform/before": {
            "trace_statements": [
                {"context": "resource", "statements": _bounded_attributes()},
                {
                    "context": "span",
                    "statements": [
                        *_bounded_attributes(),
                        # Spans that arrive after the decision on their trace would not be counted:
                        # a trace gets a new ID before that.
                        f'set(attributes["{_TRACE_ID}"], trace_id.string)',
                        "set(trace_id.string, MD5(Concat([trace_id.string, "
                        f'String(UnixSeconds(Now()) / {_DECISION_SECONDS})], " ")))',
                    ],
                },
                {
                    "context": "spanevent",
                    "statements": [f"truncate_all(attributes, {_MAX_LENGTH})"],
                },
            ]
        },
        "tail_sampling/second": _rate_limit("second", spans_per_window, _DECISION_SECONDS + 1),
        "batch/window": {
            "timeout": f"{_WINDOW_SECONDS}s",
            # More than tail_sampling/second lets through: a batch must not be sent early.
            "send_batch_size": 2 * spans_per_window * _WINDOW_SECONDS,
        },
        "tail_sampling/window": _rate_limit("window", spans_per_window, 1),
        "transform/after": {
            "trace_statements": [
                {
                    "context": "span",
                    "statements": [
                        f'set(trace_id.string, attributes["{_TRACE_ID}"])',
                        f'delete_key(attributes, "{_TRACE_ID}")',
                    ],
                }
            ]
        },
    }


def _bounded_attributes() -> list[str]:
    return [
        f"limit(attributes, {_MAX_ATTRIBUTES}, [])",
        f"truncate_all(attributes, {_MAX_LENGTH})",
        f"truncate_all(attributes, {_CUT_LENGTH}) where Len(String(attributes)) > {_MAX_LENGTH}",
    ]


def _rate_limit(name: str, spans_per_second: int, decision_seconds: int) -> Config:
    return {
        "decision_wait": f"{decision_seconds}s",
        "policies": [
            {
                "name": name,
                "type": "rate_limiting",
                # Samples fewer than this number.
                "rate_limiting": {"spans_per_second": spans_per_second + 1},
            }
        ],
    }
