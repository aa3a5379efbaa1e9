"""Promotion gate of a canary: compares the SLIs of its version with stable's."""

from collections.abc import Iterator
from enum import IntEnum

from components.observability.queries import PODS, REQUESTS, WINDOW
from components.observability.rule import Rule, alert, recording_rule
from components.observability.slo import BURN_RATES, MIN_BAD_REQUESTS, SECONDS, Slo, sum_by

MIN_CANARY_REQUESTS = 100
"""Minimum number of requests in 5 minutes. A canary with fewer is not measured."""
MAX_CANARY_FACTOR = 2
"""A canary is unhealthy above this multiple of stable's ratio of bad requests."""


class CanaryHealth(IntEnum):
    """Result of the canary's promotion gate; the value of its series."""

    NOT_MEASURED = -1
    """Too few requests to the canary's version, or an SLI without data."""
    UNHEALTHY = 0
    """The canary's bad ratio is much higher than stable's and exceeds the fastest burn rate."""
    HEALTHY = 1
    """Enough requests, and not unhealthy."""


def canary_health(slo: Slo, version: str | None = None) -> str:
    """PromQL: :class:`CanaryHealth` of each version of the canary, or of one of them."""
    return slo.series("slo:canary_gate:state", version=version)


def canary_regression(slo: Slo, version: str | None = None) -> str:
    """PromQL: ratio of bad requests by version and ``sli``, of unhealthy versions only."""
    return slo.series("slo:canary_gate:regression", version=version)


def canary_requests(slo: Slo, version: str | None = None) -> str:
    """PromQL: requests per second over 5 minutes by version of the canary."""
    return slo.series(f"slo:canary_requests:rate{WINDOW}", version=version)


def canary_gate_rules(slo: Slo) -> Iterator[Rule]:
    """Health of each version of the canary: samples of its predecessors do not count."""
    seconds = SECONDS[WINDOW]
    on = "on (namespace, service, version)"
    running = f"{PODS}{{{slo.selector(track='canary')}}} > 0"
    matchers = f'{slo.selector(track="canary")},version!=""'
    requests = canary_requests(slo)
    yield recording_rule(
        f"slo:canary_requests:rate{WINDOW}", sum_by("version", f"{REQUESTS}{{{matchers}}}")
    )
    enough = f"{requests} * {seconds} >= {MIN_CANARY_REQUESTS}"
    for sli in slo.slis:
        labels = {"sli": sli}
        bad = f"slo:canary_bad_requests:rate{WINDOW}"
        yield recording_rule(bad, slo.bad_requests_by("version", sli, matchers), labels)
        bad = f"{bad}{{{slo.selector(sli=sli)}}}"
        ratio = f"({bad} / ignoring (sli) ({requests} > 0))"
        stable = f"slo:track_bad_requests:ratio_rate{WINDOW}"
        stable = f"{stable}{{{slo.selector(track='stable', sli=sli)}}}"
        yield recording_rule(
            "slo:canary_gate:regression",
            f"{ratio} > {slo.max_bad_ratio(sli, BURN_RATES[0].factor):f}\n"
            "unless on (namespace, service, version)\n"
            f"{ratio} <= on (namespace, service) group_left () ({MAX_CANARY_FACTOR} * {stable})\n"
            f"and {on}\n{bad} * {seconds} >= {MIN_BAD_REQUESTS}\n"
            f"and {on}\n{running}",
            labels,
        )
        enough += f"\n  and {on} {bad}"
    cases = (
        (canary_regression(slo), CanaryHealth.UNHEALTHY),
        (enough, CanaryHealth.HEALTHY),
        (running, CanaryHealth.NOT_MEASURED),
    )
    health = "\nor\n".join(
        f"  count by (namespace, service, version) ({expr}) * 0 + {value:d}"
        for expr, value in cases
    )
    yield recording_rule("slo:canary_gate:state", f"(\n{health}\n)\nand {on}\n{running}")
    yield alert(
        "CanaryRegression",
        "page",
        canary_regression(slo),
        f"The canary of {slo.service} has a higher error rate than stable",
        "{{ $value | humanizePercentage }} of the requests to version {{ $labels.version }} of "
        "{{ $labels.namespace }}/{{ $labels.service }} violate the {{ $labels.sli }} objective: "
        f"more than {MAX_CANARY_FACTOR} times stable's percentage, and above the paging burn "
        "rate.",
        for_="1m",
    )
