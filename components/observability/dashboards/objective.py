"""The service level objective: what is left of the budget, and how fast it goes."""

from components.observability.dashboards.panel import Bounds, Dashboard, Panel, Promql, Row
from components.observability.dashboards.scope import Scope
from components.observability.slo import BURNS, CanaryHealth, Sli

_QUIET = "no request was answered yet"
_NO_CANARY = "there is no canary"


def dashboard(scope: Scope) -> Dashboard:
    """The dashboard of the objective."""
    return Dashboard(
        "objective",
        f"{scope.service}: objective and error budget",
        f"Objective over {scope.slo.window}, the budget of bad requests that it leaves, and the "
        "rates at which alerts fire.",
        rows=(
            *(
                Row(
                    sli.capitalize(),
                    (
                        _objective(scope, sli),
                        _left(scope, sli),
                        _burns_now(scope, sli),
                        _burn_rates(scope, sli),
                        _left_over_time(scope, sli),
                        _bad_ratio(scope, sli),
                        _bad_by_track(scope, sli),
                    ),
                )
                for sli in scope.slo.slis
            ),
            Row("Requests and the canary's gate", (_requests(scope), _gate(scope))),
        ),
        since="24h",
    )


def _objective(scope: Scope, sli: Sli) -> Panel:
    matchers = f'namespace="{scope.namespace}",service="{scope.service}",sli="{sli}"'
    latency = scope.slo.settings.latency
    good = (
        f"answered within {latency.threshold}"
        if sli == "latency" and latency
        else "answered without a 5xx status"
    )
    return Panel(
        f"Objective, {sli}",
        f"Share of the requests that has to be {good}, over {scope.slo.window}.",
        "percentunit",
        (Promql(f"slo:objective:ratio{{{matchers}}}", sli),),
        "figure",
        width=6,
        height=4,
    )


def _left(scope: Scope, sli: Sli) -> Panel:
    return Panel(
        f"Budget left, {sli}",
        "Share of the window's bad requests that may still happen. Below 0 it is overspent.",
        "percentunit",
        (Promql(scope.slo.budget_remaining(sli), sli, empty=_QUIET),),
        "figure",
        Bounds(0.25, 0),
        width=6,
        height=4,
    )


def _burns_now(scope: Scope, sli: Sli) -> Panel:
    return Panel(
        f"Burn rate now, {sli}",
        "How many times too fast the budget is being spent: at 1 it lasts just for the window. "
        f"From {BURNS[0].factor:f} over {BURNS[0].long} on, somebody is called.",
        "short",
        tuple(
            Promql(
                scope.slo.burn_rate(burn.long, sli),
                burn.long,
                empty=f"no request in {burn.long}",
            )
            for burn in BURNS
        ),
        "figure",
        Bounds(1, float(BURNS[0].factor)),
        height=4,
    )


def _burn_rates(scope: Scope, sli: Sli) -> Panel:
    return Panel(
        f"Burn rate, {sli}",
        "Windows of the alerts, from fast to slow. An alert fires when a long window and its short "
        "one are both above the factor.",
        "short",
        tuple(
            Promql(
                scope.slo.burn_rate(window, sli),
                window,
                empty=f"no request in {window}",
            )
            for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
        ),
        bounds=Bounds(float(BURNS[1].factor), float(BURNS[0].factor)),
    )


def _left_over_time(scope: Scope, sli: Sli) -> Panel:
    return Panel(
        f"Budget left over time, {sli}",
        "Steep falls are incidents; it rises again as they leave the window.",
        "percentunit",
        (Promql(scope.slo.budget_remaining(sli), sli, empty=_QUIET),),
        bounds=Bounds(0.25, 0),
        highest=1,
        lowest=None,
    )


def _bad_ratio(scope: Scope, sli: Sli) -> Panel:
    return Panel(
        f"Bad requests, {sli}",
        "Share of bad requests over five minutes and over an hour. The dashed line is the budget.",
        "percentunit",
        tuple(
            Promql(scope.slo.bad_ratio(window, sli), window, empty=f"no request in {window}")
            for window in ("5m", "1h")
        ),
        bounds=Bounds(float(scope.slo.budget(sli)), float(scope.slo.limit(sli, BURNS[0].factor))),
    )


def _bad_by_track(scope: Scope, sli: Sli) -> Panel:
    return Panel(
        f"Bad requests by track, {sli}",
        "The same over five minutes for stable and for the canary: what the gate compares.",
        "percentunit",
        (
            Promql(
                scope.slo.track_bad_ratio("5m", sli),
                "{{track}}",
                empty="no request in five minutes",
            ),
        ),
        bounds=Bounds(float(scope.slo.budget(sli)), float(scope.slo.limit(sli, BURNS[0].factor))),
    )


def _requests(scope: Scope) -> Panel:
    return Panel(
        "Requests counted",
        "Requests per second that the objective is measured by, by track.",
        "reqps",
        (Promql(scope.slo.track_requests("5m"), "{{track}}", empty=_QUIET),),
        stacked=True,
    )


def _gate(scope: Scope) -> Panel:
    meaning = "; ".join(
        f"{health:d}: {health.name.lower().replace('_', ' ')}" for health in CanaryHealth
    )
    return Panel(
        "Canary's gate",
        f"What the gate says of the canary. {meaning}.",
        "short",
        (Promql(scope.slo.canary_gate.state, "state", empty=_NO_CANARY),),
        lowest=None,
    )
