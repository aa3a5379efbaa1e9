"""What routing is to achieve, whatever serves it."""

import pytest

from components.routing import Backend, TrafficSplit
from settings import CanaryTesters
from tests.unit.components.routing.splits import split


@pytest.mark.parametrize("weights", [(90, 11), (100, 1), (50, 49), (110, -10)])
def test_weights_that_are_not_percentages_of_the_whole_are_refused(
    weights: tuple[int, int],
) -> None:
    backends = tuple(
        Backend(track, track, 80, weight)
        for track, weight in zip(("stable", "canary"), weights, strict=True)
    )
    with pytest.raises(ValueError, match=r"weights are \[.*\]: use percentages that add up to 100"):
        TrafficSplit("host", ("/",), backends, CanaryTesters())


def test_more_backends_than_stable_and_canary_are_refused() -> None:
    backends = tuple(Backend(str(number), "", 80, 25) for number in range(4))
    with pytest.raises(ValueError, match="there are 4 backends"):
        TrafficSplit("host", ("/",), backends, CanaryTesters())


def test_testers_choose_while_a_canary_runs() -> None:
    assert split().open_to == CanaryTesters()


def test_testers_have_no_choice_where_no_canary_runs() -> None:
    nothing = CanaryTesters(header=None, cookie=None)
    assert split(0, is_running=False).open_to == nothing
    assert split(None).open_to == nothing
