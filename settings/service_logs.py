"""``logs`` of a service: the keys of its log lines."""

from typing import Annotated

from pydantic import Field

from settings.prometheus_formats import LogKey
from settings.section import Section

Keys = Annotated[tuple[LogKey, ...], Field(strict=False, min_length=1, max_length=10)]


class LogKeys(Section):
    """Keys in JSON log lines. The first one that a line has is used."""

    level: Keys = ("level", "severity", "lvl", "log.level")
    """Level."""
    message: Keys = ("msg", "message", "event")
    """Message."""
    time: Keys = ("time", "timestamp", "ts", "@timestamp")
    """Time."""
    trace_id: Keys = ("trace_id", "traceID", "traceId", "trace.id")
    """Trace ID: 32 hexadecimal digits."""
    span_id: Keys = ("span_id", "spanID", "spanId", "span.id")
    """Span ID: 16 hexadecimal digits."""


class ServiceLogs(Section):
    """Log lines of the service. The defaults are the keys of slog, zap, logrus and zerolog."""

    keys: LogKeys = LogKeys.model_construct()
