"""Validation of a traffic split, and the active canary override."""

import pytest

from components.routing import Backend, TrafficSplit
from settings import CanaryOverride
from tests.unit.components.routing.splits import split


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        ([90, 11], r"weights are \[90, 11\]: use percentages that add up to 100"),
        ([110, -10], r"weights are \[110, -10\]: use percentages that add up to 100"),
        ([25, 25, 25, 25], "there are 4 backends: use stable, or stable and canary"),
    ],
)
def test_an_invalid_split_is_refused(weights: list[int], error: str) -> None:
    backends = tuple(Backend("track", "service", 80, weight) for weight in weights)
    with pytest.raises(ValueError, match=error):
        TrafficSplit(("host",), ("/",), backends, CanaryOverride())


def test_the_canary_override_is_active_while_a_canary_is_running() -> None:
    assert split().active_override == CanaryOverride()
    inactive = CanaryOverride(header=None, cookie=None)
    assert split(0, is_running=False).active_override == inactive
    assert split(None).active_override == inactive
