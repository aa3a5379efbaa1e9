"""Dashboard of the service level objective and its error budget."""

from grafana_foundation_sdk.builders import dashboard

from components.observability.dashboards.panels import (
    Panel,
    big_number,
    graph,
    new_dashboard,
    query,
    service_variable,
)
from components.observability.queries import selector
from components.observability.rules.canary_gate import CanaryHealth
from components.observability.slo import BURN_RATES, WINDOWS, Sli

_GOOD: dict[Sli, str] = {
    "availability": "that succeed",
    "latency": "within the latency threshold",
}


def objective_dashboard(namespace: str) -> dashboard.Dashboard:
    """Error budget and burn rates of each SLI, and the canary's promotion gate."""
    service = selector(namespace, "$service")
    health = "; ".join(f"{one:d}: {one.name.lower().replace('_', ' ')}" for one in CanaryHealth)
    canary = graph(
        "Canary health",
        f"Result of the canary's promotion gate, by version. {health}.",
        "short",
        query(f"slo:canary_gate:state{{{service}}}", "{{version}}"),
        from_zero=False,
    )
    return new_dashboard(
        "Service: objective and error budget",
        "Service level objective, its error budget and the burn rates that alert.",
        {
            **{sli.capitalize(): _sli_panels(service, sli) for sli in _GOOD},
            "Promotion gate": [canary.span(24)],
        },
        time_range="24h",
    ).with_variable(service_variable(namespace))


def _sli_panels(service: str, sli: Sli) -> tuple[Panel, ...]:
    indicator = f'{service},sli="{sli}"'
    budget = f"slo:error_budget:ratio{{{indicator}}}"
    remaining = f"slo:error_budget_remaining:ratio{{{indicator}}}"
    page, slower_page = BURN_RATES[0], BURN_RATES[1]

    def burn_rate(window: str) -> str:
        return f"slo:bad_requests:ratio_rate{window}{{{indicator}}} / {budget}"

    return (
        big_number(
            f"Objective, {sli}",
            f"Required percentage of requests {_GOOD[sli]}, over the objective's window.",
            "percentunit",
            query(f"slo:objective:ratio{{{indicator}}}", sli),
        ).span(6),
        big_number(
            f"Error budget remaining, {sli}",
            "Remaining percentage of the window's error budget. Negative if it is exceeded.",
            "percentunit",
            query(remaining, sli),
            thresholds=(0.25, 0),
        ).span(6),
        big_number(
            f"Current burn rate, {sli}",
            "A burn rate of 1 uses up the error budget in exactly the SLO's window. Above "
            f"{page.factor:f} over {page.long_window}, an alert pages.",
            "short",
            *(query(burn_rate(burn.long_window), burn.long_window) for burn in BURN_RATES),
            thresholds=(1, float(page.factor)),
        ),
        graph(
            f"Burn rate, {sli}",
            "By window of the alerts. An alert fires while the burn rates of its long window and "
            "of its short window both exceed its threshold.",
            "short",
            *(query(burn_rate(window), window) for window in WINDOWS),
            thresholds=(float(slower_page.factor), float(page.factor)),
        ),
        graph(
            f"Error budget remaining over time, {sli}",
            "It falls during incidents and recovers as they leave the window.",
            "percentunit",
            query(remaining, sli),
            thresholds=(0.25, 0),
            from_zero=False,
        ).max(1),
        graph(
            f"Bad requests by track, {sli}",
            "Percentage of bad requests over 5 minutes, which the promotion gate compares, and the "
            "error budget.",
            "percentunit",
            query(f"slo:track_bad_requests:ratio_rate5m{{{indicator}}}", "{{track}}"),
            query(budget, "error budget"),
        ).span(24),
    )
