import re
from typing import Any

import pytest

from components.observability.queries import DURATION, ERRORS, PODS, REQUESTS
from components.observability.rules.slo import slo_rules
from components.observability.slo import BURN_RATES, Slo
from components.track_roles import TrackRoles
from settings import LatencyObjective, SloSettings, load
from settings.stack_file import PROJECT_FOLDER
from tests.unit.stacks import needs_example, service

BUCKETS = (0.08, 0.25, 1.0, 2.5)


def objective(**settings: Any) -> Slo:
    return Slo("beacon", "beacon-test", SloSettings(**settings), BUCKETS)


SLO = objective()
ROLES = TrackRoles.of(service())


def rules(slo: Slo = SLO) -> list[dict[str, Any]]:
    return [rule for group in slo_rules(slo, ROLES) for rule in group["rules"]]


def alerts(name: str) -> list[dict[str, Any]]:
    return [rule for rule in rules() if rule.get("alert") == name]


def expressions(slo: Slo, record: str) -> list[str]:
    return [rule["expr"] for rule in rules(slo) if rule.get("record") == record]


@pytest.mark.parametrize(
    ("name", "thresholds"),
    [
        ("AvailabilityBudgetBurn", ["0.0144", "0.006", "0.003", "0.001"]),
        ("LatencyBudgetBurn", ["0.144", "0.06", "0.03", "0.01"]),
    ],
)
def test_an_alert_fires_if_both_windows_exceed_the_burn_rate(
    name: str, thresholds: list[str]
) -> None:
    for alert, burn, threshold in zip(alerts(name), BURN_RATES, thresholds, strict=True):
        for window in (burn.long_window, burn.short_window):
            assert re.search(rf"ratio_rate{window}{{[^}}]*}} > {threshold}\n", alert["expr"])
        assert alert["labels"] == {"severity": burn.severity, "window": burn.long_window}


def test_without_a_latency_objective_there_are_no_latency_rules() -> None:
    without = str(slo_rules(objective(latency=None), ROLES))
    for text in ("latency", DURATION):
        assert text not in without
        assert text in str(slo_rules(SLO, ROLES))


def test_the_recorded_error_budget_is_exact() -> None:
    slo = objective(availability=99.95)
    assert expressions(slo, "slo:error_budget:ratio") == ["vector(0.0005)", "vector(0.01)"]


def test_the_remaining_budget_is_that_of_the_configured_window() -> None:
    slo = objective(window_days=7)
    (expr, _) = expressions(slo, "slo:error_budget_remaining:ratio")
    assert expr == f"1 - {slo.bad_ratio('7d', 'availability')} / 0.001"
    assert "30d" not in str(slo_rules(slo, ROLES))


def test_every_series_that_a_rule_reads_is_recorded_or_exposed() -> None:
    exposed = {REQUESTS, ERRORS, DURATION, PODS, "kube_deployment_status_replicas_ready"}
    read = {name for rule in rules() for name in re.findall(r"([a-z][a-z0-9_:]+)\{", rule["expr"])}
    assert read <= {rule["record"] for rule in rules() if "record" in rule} | exposed


@pytest.mark.parametrize(
    ("threshold", "matcher"),
    [("80ms", 'le="0.08"'), ("2.5s", 'le="2.5"'), ("1s", 'le=~"1([.]0)?"')],
)
def test_the_bucket_label_matches_with_prometheus_2_and_3(threshold: str, matcher: str) -> None:
    latency = LatencyObjective.model_validate({"threshold": threshold})
    slo = objective(latency=latency)
    assert matcher in expressions(slo, "slo:track_bad_requests:rate5m")[1]


@pytest.mark.parametrize(
    ("buckets", "threshold"), [(BUCKETS, 0.25), ((0.1, 0.3, 1.2, 5.0), 0.3), ((0.1,), 0.1)]
)
def test_the_default_threshold_is_the_first_bucket_from_250_ms_on(
    buckets: tuple[float, ...], threshold: float
) -> None:
    slo = Slo("beacon", "beacon-test", SloSettings(), buckets)
    assert slo.latency_threshold == threshold
    assert expressions(slo, "slo:latency_threshold:seconds") == [f"vector({threshold:g})"]


@needs_example
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_buckets_in_the_stack_file_are_those_of_beacon(stack: str) -> None:
    source = PROJECT_FOLDER / "app" / "internal" / "metrics" / "metrics.go"
    (text,) = re.findall(r"buckets = \[\]float64\{([^}]*)\}", source.read_text())
    metrics = load(stack).services["beacon"].metrics
    assert metrics
    assert metrics.buckets == tuple(float(bucket) for bucket in text.split(","))


def test_without_durations_only_the_availability_is_measured() -> None:
    assert Slo("beacon", "beacon-test", SloSettings(), ()).slis == ("availability",)


def test_every_rule_selects_one_service_only() -> None:
    for rule in rules():
        for selector in re.findall(r"\{([^{}]*=[^{}]*)\}", rule["expr"]):
            assert selector.startswith(
                ('namespace="beacon-test",service="beacon"', 'namespace="beacon-test",deployment=')
            )


def test_a_total_outage_exceeds_every_threshold_even_of_a_low_objective() -> None:
    slo = objective(availability=50)
    assert all(slo.max_bad_ratio("availability", burn.factor) < 1 for burn in BURN_RATES)
