"""Recording rules and alerts of a service level objective."""

from collections.abc import Iterable, Iterator

from components.observability.queries import REQUESTS, WINDOW
from components.observability.rule import Rule, RuleGroup, alert, recording_rule, rule_group
from components.observability.rules.canary_gate import canary_gate_rules
from components.observability.slo import BURN_RATES, MIN_BAD_REQUESTS, SECONDS, Sli, Slo, sum_by
from components.track_roles import TrackRoles
from settings import format_seconds

_INTERVAL = 15
"""Evaluation interval of the rule group ``slo-fast``, in seconds."""
_FAST_WINDOWS = ("30m", "1h")
_SLOW_WINDOWS = ("2h", "6h", "1d", "3d")


def slo_rules(slo: Slo, roles: TrackRoles) -> list[RuleGroup]:
    """Recording rules, burn rate alerts and the canary's promotion gate."""
    fast = [*_rates(slo), *_long_rates(slo, _FAST_WINDOWS), *canary_gate_rules(slo)]
    slow = [*_long_rates(slo, (*_SLOW_WINDOWS, slo.window)), *_budget_remaining(slo)]
    return [
        rule_group("slo-objectives", _objectives(slo)),
        rule_group("slo-fast", fast, f"{_INTERVAL}s"),
        rule_group("slo-slow", slow, "1m"),
        rule_group("slo-alerts", [*_burn_rate_alerts(slo), *_without_data(slo, roles)]),
    ]


def _objectives(slo: Slo) -> Iterator[Rule]:
    for sli in slo.slis:
        labels = {"namespace": slo.namespace, "service": slo.service, "sli": sli}
        yield recording_rule("slo:objective:ratio", f"vector({slo.objective(sli):f})", labels)
        yield recording_rule("slo:error_budget:ratio", f"vector({slo.error_budget(sli):f})", labels)
    if slo.latency_threshold:
        labels = {"namespace": slo.namespace, "service": slo.service}
        yield recording_rule(
            "slo:latency_threshold:seconds", f"vector({slo.latency_threshold:g})", labels
        )


def _rates(slo: Slo) -> Iterator[Rule]:
    """Rates of the shortest window, by track and of all tracks."""
    requests = f"slo:track_requests:rate{WINDOW}"
    yield recording_rule(requests, sum_by("track", f"{REQUESTS}{{{slo.selector()}}}"))
    total = f"{requests}{{{slo.selector()}}}"
    yield recording_rule(f"slo:requests:rate{WINDOW}", f"sum without (track) ({total})")
    for sli in slo.slis:
        labels = {"sli": sli}
        bad = f"slo:track_bad_requests:rate{WINDOW}"
        yield recording_rule(bad, slo.bad_requests_by("track", sli, slo.selector()), labels)
        track_bad = f"{bad}{{{slo.selector(sli=sli)}}}"
        yield recording_rule(
            f"slo:bad_requests:rate{WINDOW}", f"sum without (track) ({track_bad})", labels
        )
        yield recording_rule(
            f"slo:track_bad_requests:ratio_rate{WINDOW}",
            f"{track_bad}\n/ ignoring (sli)\n({total} > 0)",
            labels,
        )
        yield _bad_ratio(slo, sli, WINDOW)


def _bad_ratio(slo: Slo, sli: Sli, window: str) -> Rule:
    return recording_rule(
        f"slo:bad_requests:ratio_rate{window}",
        f"{slo.bad_requests(window, sli)}\n/ ignoring (sli)\n({slo.requests(window)} > 0)",
        {"sli": sli},
    )


def _long_rates(slo: Slo, windows: Iterable[str]) -> Iterator[Rule]:
    """Rates of longer windows, from recorded rates: reading days of raw series is expensive.

    Sums rates, not ratios, so that a minute counts by its number of requests.
    """
    for window in windows:
        seconds = SECONDS.get(window, slo.settings.window_days * SECONDS["1d"])
        average = f"* {_INTERVAL} / {seconds}"
        yield recording_rule(
            f"slo:requests:rate{window}",
            f"sum_over_time({slo.requests(WINDOW)}[{window}]) {average}",
        )
        for sli in slo.slis:
            yield recording_rule(
                f"slo:bad_requests:rate{window}",
                f"sum_over_time({slo.bad_requests(WINDOW, sli)}[{window}]) {average}",
                {"sli": sli},
            )
            yield _bad_ratio(slo, sli, window)


def _budget_remaining(slo: Slo) -> Iterator[Rule]:
    for sli in slo.slis:
        yield recording_rule(
            "slo:error_budget_remaining:ratio",
            f"1 - {slo.burn_rate(slo.window, sli)}",
            {"sli": sli},
        )


def _burn_rate_alerts(slo: Slo) -> Iterator[Rule]:
    names = {"availability": "AvailabilityBudgetBurn", "latency": "LatencyBudgetBurn"}
    threshold = slo.latency_threshold
    faults = {
        "availability": "failed",
        "latency": f"took longer than {format_seconds(threshold)}" if threshold else "",
    }
    for sli in slo.slis:
        for burn in BURN_RATES:
            long = burn.long_window
            max_ratio = f"{slo.max_bad_ratio(sli, burn.factor):f}"
            yield alert(
                names[sli],
                burn.severity,
                f"{slo.bad_ratio(long, sli)} > {max_ratio}\n"
                f"and\n{slo.bad_ratio(burn.short_window, sli)} > {max_ratio}\n"
                f"and\n{slo.bad_requests(long, sli)} * {SECONDS[long]} >= {MIN_BAD_REQUESTS}",
                f"{slo.service} burns its {sli} error budget {burn.factor:f} times too fast",
                "{{ $value | humanizePercentage }} of the requests to "
                "{{ $labels.namespace }}/{{ $labels.service }} in the last "
                f"{long} {faults[sli]}; the objective allows "
                f"{float(slo.error_budget(sli) * 100):g}% over {slo.settings.window_days} days.",
                labels={"window": long},
            )


def _without_data(slo: Slo, roles: TrackRoles) -> Iterator[Rule]:
    """Alerts on indicators that are not measured, whose error budget therefore never shrinks."""
    deployments = f'namespace="{slo.namespace}",deployment=~"{roles.deployment_pattern}"'
    causes: dict[Sli, tuple[str, str]] = {
        "availability": (
            f"max by (namespace) (kube_deployment_status_replicas_ready{{{deployments}}}) > 0",
            f"unless on (namespace) group by (namespace) ({slo.requests(WINDOW)})",
        ),
        "latency": (
            f"max by (namespace) ({slo.requests(WINDOW)}) > 0",
            f"unless on (namespace) group by (namespace) ({slo.bad_requests(WINDOW, 'latency')})",
        ),
    }
    for sli in slo.slis:
        present, missing = causes[sli]
        yield alert(
            "SliWithoutData",
            "ticket",
            f"{present}\n{missing}",
            f"The {sli} of {slo.service} is not measured",
            f"No request to {slo.namespace}/{slo.service} has been counted for the {sli} objective "
            "for 30 minutes (value {{ $value }}): its alerts cannot fire, and the promotion gate "
            "has no result.",
            for_="30m",
            labels={"sli": sli},
        )
