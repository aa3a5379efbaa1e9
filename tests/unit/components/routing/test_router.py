"""Every back end puts the same split into the same effect."""

import pytest

from components.routing import ROUTERS
from settings import Backend as BackendName
from tests.unit.components.routing.splits import SHARES, routed, split

BACKENDS = tuple(ROUTERS)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weight", [0, 1, 10, 33, 50, 99, 100])
def test_the_same_split_gives_the_same_shares(backend: BackendName, weight: int) -> None:
    shares = SHARES[backend](routed(backend, split(weight)), "/")
    assert shares == {"beacon-stable": 100 - weight, "beacon-canary": weight}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_service_without_a_canary_track_gets_everything(backend: BackendName) -> None:
    assert SHARES[backend](routed(backend, split(None)), "/") == {"beacon-stable": 100}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_path_is_shared_alike(backend: BackendName) -> None:
    registry = routed(backend, split(20, paths=("/api", "/docs")))
    for path in ("/api", "/docs"):
        assert SHARES[backend](registry, path) == {"beacon-stable": 80, "beacon-canary": 20}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_release_adds_and_removes_no_object(backend: BackendName) -> None:
    before = routed(backend, split(0, is_running=False))
    during = routed(backend, split(10))
    assert set(before.resources) == set(during.resources)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_object_is_in_the_namespace_of_the_service(backend: BackendName) -> None:
    for resource in routed(backend, split()).resources.values():
        if resource.type.startswith("kubernetes:"):
            assert resource.inputs["metadata"]["namespace"] == "home"
