"""Dashboard of the service level objective and its error budget."""

from grafana_foundation_sdk.builders import dashboard

from components.observability.dashboards.panels import (
    Panel,
    big_number,
    graph,
    new_dashboard,
    query,
)
from components.observability.slo import (
    BURN_RATES,
    FAST_WINDOWS,
    LONG_WINDOWS,
    SLOW_WINDOWS,
    CanaryHealth,
    Sli,
    Slo,
)


def objective_dashboard(slo: Slo) -> dashboard.Dashboard:
    """Error budget and burn rates of each SLI, and the canary's promotion gate."""
    health = "; ".join(f"{one:d}: {one.name.lower().replace('_', ' ')}" for one in CanaryHealth)
    canary = graph(
        "Canary health",
        f"Result of the canary's promotion gate. {health}.",
        "short",
        query(slo.canary_health, "state"),
        from_zero=False,
    )
    return new_dashboard(
        f"{slo.service}: objective and error budget",
        f"Service level objective over {slo.window}, its error budget and the burn rates that "
        "alert.",
        {
            **{sli.capitalize(): _sli_panels(slo, sli) for sli in slo.slis},
            "Promotion gate": [canary.span(24)],
        },
        time_range="24h",
    )


def _sli_panels(slo: Slo, sli: Sli) -> tuple[Panel, ...]:
    latency = slo.settings.latency
    good = (
        f"a response within {latency.threshold}"
        if sli == "latency" and latency
        else "a response without a 5xx status"
    )
    page, slower_page = BURN_RATES[0], BURN_RATES[1]
    return (
        big_number(
            f"Objective, {sli}",
            f"Required percentage of requests with {good}, over {slo.window}.",
            "percentunit",
            query(f"slo:objective:ratio{{{slo.selector(sli=sli)}}}", sli),
        ).span(6),
        big_number(
            f"Error budget remaining, {sli}",
            "Remaining percentage of the window's error budget. Negative if it is exceeded.",
            "percentunit",
            query(slo.budget_remaining(sli), sli),
            thresholds=(0.25, 0),
        ).span(6),
        big_number(
            f"Current burn rate, {sli}",
            "A burn rate of 1 uses up the error budget in exactly the SLO's window. Above "
            f"{page.factor:f} over {page.long_window}, an alert pages.",
            "short",
            *(query(slo.burn_rate(burn.long_window, sli), burn.long_window) for burn in BURN_RATES),
            thresholds=(1, float(page.factor)),
        ),
        graph(
            f"Burn rate, {sli}",
            "By window of the alerts. An alert fires while the burn rates of its long window and "
            "of its short window both exceed its threshold.",
            "short",
            *(
                query(slo.burn_rate(window, sli), window)
                for window in (*FAST_WINDOWS, *SLOW_WINDOWS, *LONG_WINDOWS)
            ),
            thresholds=(float(slower_page.factor), float(page.factor)),
        ),
        graph(
            f"Error budget remaining over time, {sli}",
            "It falls during incidents and recovers as they leave the window.",
            "percentunit",
            query(slo.budget_remaining(sli), sli),
            thresholds=(0.25, 0),
            from_zero=False,
        ).max(1),
        graph(
            f"Bad requests by track, {sli}",
            "Percentage of bad requests over 5 minutes. The promotion gate compares them. The "
            "lower threshold is the error budget, the upper one the paging burn rate.",
            "percentunit",
            query(slo.track_bad_ratio("5m", sli), "{{track}}"),
            thresholds=(
                float(slo.error_budget(sli)),
                float(slo.max_bad_ratio(sli, page.factor)),
            ),
        ).span(24),
    )
