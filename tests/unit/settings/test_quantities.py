"""Kubernetes quantities, Go durations and IntOrPercent."""

from decimal import Decimal

import pytest

from settings import duration_seconds, parse_quantity, scaled_value


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("500m", Decimal("0.5")),
        ("2", Decimal(2)),
        ("1k", Decimal(1000)),
        ("1Ki", Decimal(1024)),
        ("1.5Gi", Decimal(3 * 2**29)),
        ("1G", Decimal(10**9)),
    ],
)
def test_a_quantity_is_parsed_into_a_number(quantity: str, number: Decimal) -> None:
    assert parse_quantity(quantity) == number


def test_quantities_of_different_units_are_compared_by_their_number() -> None:
    assert parse_quantity("1Gi") > parse_quantity("1G") > parse_quantity("900Mi")


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("1m30s", 90), ("1h", 3600), ("250ms", 0.25)]
)
def test_a_duration_is_parsed_into_seconds(text: str, seconds: float) -> None:
    assert duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("value", "up", "down"), [(1, 1, 1), ("25%", 3, 2), ("0%", 0, 0), ("100%", 10, 10)]
)
def test_a_percentage_of_pods_is_rounded_up_or_down(value: int | str, up: int, down: int) -> None:
    assert scaled_value(value, 10) == up
    assert scaled_value(value, 10, round_up=False) == down
