"""PromQL and LogQL for the metrics and logs that the service itself writes."""


def selector(namespace: str, service: str, **labels: str | None) -> str:
    """Label matchers of the service's series, without braces.

    Labels that are ``None`` are left out.
    """
    matchers = {"namespace": namespace, "service": service, **labels}
    return ",".join(f'{name}="{value}"' for name, value in matchers.items() if value is not None)


def error_ratio(matchers: str, range_: str, by: str = "") -> str:
    """Ratio of responses with a 5xx status: 0 if there are responses but no errors.

    ``by``: a label; one ratio for each of its values.
    """
    sum_ = f"sum by ({by})" if by else "sum"
    total = f"{sum_} (rate(http_requests_total{{{matchers}}}[{range_}]))"
    errors = f'{sum_} (rate(http_requests_total{{{matchers},status=~"5.."}}[{range_}]))'
    return f"({errors} or 0 * {total}) / {total}"


def latency_quantile(quantile: float, matchers: str, range_: str, by: str = "") -> str:
    """Quantile of the request duration in seconds, for each value of the label ``by``."""
    labels = f"le, {by}" if by else "le"
    buckets = f"http_request_duration_seconds_bucket{{{matchers}}}"
    return f"histogram_quantile({quantile}, sum by ({labels}) (rate({buckets}[{range_}])))"


def log_selector(namespace: str, service: str) -> str:
    """Stream selector of the service's log lines in Loki."""
    return f'{{k8s_namespace_name="{namespace}",service_name="{service}"}}'
