"""Spans in the JSON encoding of OTLP/HTTP."""

import secrets
import time
from typing import Any


def new_trace_id() -> str:
    """Return a random trace ID."""
    return secrets.token_hex(16)


def export_request(trace_id: str, spans: int, **attributes: str) -> dict[str, Any]:
    """Return an ExportTraceServiceRequest with spans of one trace."""
    now = str(time.time_ns())
    span = {
        "traceId": trace_id,
        "name": "GET /",
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
        "attributes": [
            {"key": key, "value": {"stringValue": value}} for key, value in attributes.items()
        ],
    }
    sent = [{**span, "spanId": secrets.token_hex(8)} for _ in range(spans)]
    service = {"key": "service.name", "value": {"stringValue": "flood"}}
    resource = {"attributes": [service]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": sent}]}]}
