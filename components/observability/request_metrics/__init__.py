"""Request metrics of a service, from one source of several."""

from components.observability.request_metrics.request_metrics import (
    ProxyRequestMetrics,
    RequestMetrics,
    bucket_label,
)
from components.observability.request_metrics.sources import request_metrics_of

__all__ = ["ProxyRequestMetrics", "RequestMetrics", "bucket_label", "request_metrics_of"]
