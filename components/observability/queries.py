"""Recorded series of services, and PromQL and LogQL that read them.

The recorded series are the same for every source of metrics. Dashboards, objectives, the promotion
gate and ``make metrics`` read only these.
"""

from collections.abc import Iterable
from math import ceil
from typing import Literal

WINDOW = "5m"
"""Range of the rates: with the longest scrape interval, it contains two samples."""
WINDOW_SECONDS = 300
_GATE_SCRAPES = 4


def requests_series(window: str) -> str:
    """Requests per second by track, version, method, route and status."""
    return f"service:requests:rate{window}"


def errors_series(window: str) -> str:
    """Failed requests per second by track, version, method and route. 0 if none has failed."""
    return f"service:request_errors:rate{window}"


def duration_series(window: str) -> str:
    """Requests per second by track, version, route and ``le``, in seconds."""
    return f"service:request_duration_seconds_bucket:rate{window}"


REQUESTS = requests_series(WINDOW)
ERRORS = errors_series(WINDOW)
DURATION = duration_series(WINDOW)
PODS = "service:pods:ready"
"""Ready pods by track and version."""


def gate_window(scrape_interval_seconds: int) -> str:
    """Range of the rates that the gates of a release read: a minute, or four scrapes.

    A fault shows early in a short range. It is at most :data:`WINDOW`.
    """
    minutes = ceil(_GATE_SCRAPES * scrape_interval_seconds / 60)
    return f"{min(max(1, minutes), WINDOW_SECONDS // 60)}m"


def selector(namespace: str, service: str, **labels: str | None) -> str:
    """Label matchers of the service's series, without braces.

    Labels that are ``None`` are left out.
    """
    matchers = {"namespace": namespace, "service": service, **labels}
    return ",".join(f'{name}="{value}"' for name, value in matchers.items() if value is not None)


def request_rate(matchers: str, by: str = "") -> str:
    """Requests per second, for each value of the labels ``by``."""
    return f"{_sum(by)} ({REQUESTS}{{{matchers}}})"


def error_ratio(matchers: str, by: str = "") -> str:
    """Ratio of failed requests, for each value of the labels ``by``."""
    return f"{_sum(by)} ({ERRORS}{{{matchers}}}) / ({request_rate(matchers, by)} > 0)"


def latency_quantile(quantile: float, matchers: str, by: str = "") -> str:
    """Quantile of the request duration in seconds, for each value of the labels ``by``."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({quantile}, {_sum(labels)} ({DURATION}{{{matchers}}}))"


def pod_resource(
    kind: Literal["requests", "limits"], pods: str, resource: str, sidecars: Iterable[str]
) -> str:
    """Requests or limits of each pod, with those of its sidecars.

    ``pods`` are label matchers without braces, and ``sidecars`` names of containers.
    """
    matchers = f'{pods},resource="{resource}"'
    series = f"kube_pod_container_resource_{kind}{{{matchers}}}"
    if names := "|".join(sidecars):
        # Sidecars are init containers; others of them have ended.
        running = f'{matchers},container=~"{names}"'
        series += f" or kube_pod_init_container_resource_{kind}{{{running}}}"
    return f"sum by (pod) ({series})"


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"


def log_selector(namespace: str, *services: str) -> str:
    """Stream selector of the services' log lines in Loki."""
    operator = "=" if len(services) == 1 else "=~"
    names = "|".join(services)
    return f'{{k8s_namespace_name="{namespace}",service_name{operator}"{names}"}}'
