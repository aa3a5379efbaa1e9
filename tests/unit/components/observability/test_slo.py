"""What follows from one objective."""

import re
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from components.observability.rule import Alert, Rule
from components.observability.slo import BURNS, CanaryHealth, Slo
from settings import LatencyObjective, SloSettings, duration_seconds

METRICS = Path(__file__).resolve().parents[4] / "app" / "internal" / "metrics" / "metrics.go"
SLO = Slo("beacon", "beacon-test", SloSettings())


def alerts(slo: Slo, name: str) -> list[Alert]:
    return [alert for group in slo.groups for alert in group.alerts if alert.name == name]


def recorded(slo: Slo) -> dict[str, list[Rule]]:
    rules: dict[str, list[Rule]] = {}
    for group in slo.groups:
        for rule in group.rules:
            if isinstance(rule, Rule):
                rules.setdefault(rule.record, []).append(rule)
    return rules


def test_the_alerts_have_the_windows_and_factors_of_the_workbook() -> None:
    assert [(one.long, one.short, one.factor, one.severity) for one in BURNS] == [
        ("1h", "5m", Decimal("14.4"), "page"),
        ("6h", "30m", Decimal(6), "page"),
        ("1d", "2h", Decimal(3), "ticket"),
        ("3d", "6h", Decimal(1), "ticket"),
    ]


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("AvailabilityBudgetBurn", ["0.0144", "0.006", "0.003", "0.001"]),
        ("LatencyBudgetBurn", ["0.144", "0.06", "0.03", "0.01"]),
    ],
)
def test_both_windows_of_an_alert_have_to_burn(name: str, limits: list[str]) -> None:
    for alert, burn, limit in zip(alerts(SLO, name), BURNS, limits, strict=True):
        for window in (burn.long, burn.short):
            assert re.search(rf"ratio_rate{window}{{[^}}]*}} > {limit}\n", alert.expr), alert.expr
        assert (alert.severity, alert.labels) == (burn.severity, {"window": burn.long})


def test_an_objective_without_a_latency_has_no_rule_about_it() -> None:
    slo = Slo("beacon", "beacon-test", SloSettings(latency=None))
    assert slo.slis == ("availability",)
    assert "latency" not in str(slo.groups)
    assert "http_request_duration_seconds" not in str(slo.groups)
    assert "http_request_duration_seconds" in str(SLO.groups)


def test_the_objective_decides_the_budget_exactly() -> None:
    slo = Slo("beacon", "beacon-test", SloSettings(availability=99.95))
    assert slo.budget("availability") == Decimal("0.0005")
    assert [rule.expr for rule in recorded(slo)["slo:error_budget:ratio"]] == [
        "vector(0.0005)",
        "vector(0.01)",
    ]


def test_a_total_failure_pages_whatever_the_objective() -> None:
    slo = Slo("beacon", "beacon-test", SloSettings(availability=50))
    assert all(slo.limit("availability", burn.factor) < 1 for burn in BURNS)


def test_the_budget_is_that_of_the_window_that_is_set() -> None:
    slo = Slo("beacon", "beacon-test", SloSettings(window_days=7))
    assert slo.windows[-1] == "7d"
    (rule, _) = recorded(slo)["slo:error_budget_remaining:ratio"]
    assert rule.expr == f"1 - {slo.bad_ratio('7d', 'availability')} / 0.001"
    assert "30d" not in str(slo.groups)


def test_everything_that_is_asked_for_is_recorded() -> None:
    """No accessor names a series that no rule makes."""
    asked = [
        SLO.canary_gate.state,
        SLO.canary_gate.regression,
        *(SLO.requests(window) for window in SLO.windows),
        *(SLO.track_requests(window, "canary") for window in SLO.track_windows),
    ]
    for sli in SLO.slis:
        asked += [SLO.budget_remaining(sli)]
        for window in SLO.windows:
            asked += [SLO.bad_requests(window, sli), SLO.bad_ratio(window, sli)]
        for window in SLO.track_windows:
            asked += [SLO.track_bad_requests(window, sli), SLO.track_bad_ratio(window, sli)]
    assert {one.partition("{")[0] for one in asked} <= set(recorded(SLO))


def test_every_series_that_a_rule_reads_is_recorded_or_exposed() -> None:
    exposed = {"up", "http_requests_total"}
    exposed |= {f"http_request_duration_seconds_{part}" for part in ("count", "bucket")}
    read = {
        name
        for group in SLO.groups
        for rule in group.rules
        for name in re.findall(r"([a-z][a-z0-9_:]+)\{", rule.expr)
    }
    assert read <= set(recorded(SLO)) | exposed


def test_every_threshold_is_a_bound_that_the_service_counts_by() -> None:
    (text,) = re.findall(r"buckets = \[\]float64\{([^}]*)\}", METRICS.read_text())
    bounds = {float(bound) for bound in text.split(",")}
    thresholds = get_args(LatencyObjective.model_fields["threshold"].annotation)
    assert {round(duration_seconds(threshold), 6) for threshold in thresholds} <= bounds


@pytest.mark.parametrize(
    ("threshold", "matcher"),
    [("80ms", 'le="0.08"'), ("2.5s", 'le="2.5"'), ("1s", 'le=~"1|1.0"')],
)
def test_a_bound_is_found_as_every_prometheus_writes_it(threshold: str, matcher: str) -> None:
    latency = LatencyObjective.model_validate({"threshold": threshold})
    slo = Slo("beacon", "beacon-test", SloSettings(latency=latency))
    assert matcher in recorded(slo)["slo:track_bad_requests:rate5m"][1].expr


def test_every_rule_is_about_the_one_service_only() -> None:
    for group in SLO.groups:
        for rule in group.rules:
            for selector in re.findall(r"\{([^{}]*=[^{}]*)\}", rule.expr):
                assert selector.startswith('namespace="beacon-test",service="beacon"')


def test_the_gate_and_its_alert_read_the_same_verdict() -> None:
    (alert,) = alerts(SLO, "CanaryRegression")
    assert SLO.canary_gate.regression in alert.expr
    assert f"{SLO.canary_gate.state} == 0" in alert.expr
    assert SLO.canary_gate.least == CanaryHealth.HEALTHY == 1


def test_a_dashboard_can_ask_with_variables() -> None:
    slo = Slo("$service", "$namespace", SloSettings())
    assert slo.bad_ratio("1h", "latency") == (
        'slo:bad_requests:ratio_rate1h{namespace="$namespace",service="$service",sli="latency"}'
    )
    assert slo.burn_rate("5m", "availability").endswith(" / 0.001")
