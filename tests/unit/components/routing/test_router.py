"""All back ends implement the same split."""

import pytest

from components.routing import ROUTERS
from settings import RoutingBackend
from tests.unit.components.routing.splits import WEIGHTS, routed, split

pytestmark = pytest.mark.parametrize("backend", tuple(ROUTERS))


@pytest.mark.parametrize("weight", [0, 1, 33, 100])
def test_the_canary_gets_its_weight_and_stable_the_rest(
    backend: RoutingBackend, weight: int
) -> None:
    weights = WEIGHTS[backend](routed(backend, split(weight)), "/")
    assert weights == {"beacon-stable": 100 - weight, "beacon-canary": weight}


def test_without_a_canary_track_stable_gets_all_requests(backend: RoutingBackend) -> None:
    assert WEIGHTS[backend](routed(backend, split(None)), "/") == {"beacon-stable": 100}


def test_all_paths_have_the_same_weights(backend: RoutingBackend) -> None:
    registry = routed(backend, split(20, paths=("/api", "/docs")))
    for path in ("/api", "/docs"):
        assert WEIGHTS[backend](registry, path) == {"beacon-stable": 80, "beacon-canary": 20}


def test_a_release_creates_and_deletes_no_object(backend: RoutingBackend) -> None:
    before = routed(backend, split(0, is_running=False))
    during = routed(backend, split(10))
    assert set(before.resources) == set(during.resources)


def test_objects_are_created_in_the_namespace_of_the_service(backend: RoutingBackend) -> None:
    for resource in routed(backend, split()).resources.values():
        if resource.type.startswith("kubernetes:"):
            assert resource.inputs["metadata"]["namespace"] == "home"
