"""Comparison of a service's indicators with its objective, and with the time before a change."""

from components.observability.queries import WINDOW_SECONDS
from components.observability.rules.canary_gate import MAX_CANARY_FACTOR
from components.observability.slo import BURN_RATES, MIN_BAD_REQUESTS, Sli, Slo
from settings import format_seconds


def regression(slo: Slo, sli: Sli, *, bad: float, requests: float, before: float) -> str:
    """Return the ratio of bad requests and its bound, if it is above, as a clause about requests.

    ``bad`` and ``requests`` are rates per second over 5 minutes; ``before`` is the ratio of bad
    requests before the change. Empty: the objective is met, or it was missed as much before.
    """
    ratio = bad / requests if requests else 0.0
    allowed = float(slo.max_bad_ratio(sli, BURN_RATES[0].factor))
    is_bad = bad * WINDOW_SECONDS >= MIN_BAD_REQUESTS
    if not is_bad or ratio <= allowed or ratio <= MAX_CANARY_FACTOR * before:
        return ""
    threshold = slo.latency_threshold
    slow = f"take longer than {format_seconds(threshold)}" if threshold else ""
    faults = {"availability": "fail", "latency": slow}
    return f"{ratio:.1%} of its requests {faults[sli]} ({sli}; the bound is {allowed:.1%})"
