from decimal import Decimal

from components.observability.slo import BURN_RATES, Slo
from settings import SloSettings


def test_the_error_budget_is_exact() -> None:
    slo = Slo("beacon", "beacon-test", SloSettings(availability=99.95))
    assert slo.error_budget("availability") == Decimal("0.0005")


def test_a_total_outage_exceeds_every_threshold_even_of_a_low_objective() -> None:
    slo = Slo("beacon", "beacon-test", SloSettings(availability=50))
    assert all(slo.max_bad_ratio("availability", burn.factor) < 1 for burn in BURN_RATES)
