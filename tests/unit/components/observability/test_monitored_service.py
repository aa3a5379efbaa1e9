"""Names of the pods of a service: the patterns of monitoring match those that Kubernetes gives."""

import re
from typing import Any, get_args

import pytest

from components.observability.monitored_service import MonitoredService
from settings import Track
from settings.loader import validate
from tests.unit.stacks import BEACON, BLUE_GREEN, CANARY, SMALLEST, changed

BUNDLED = {"observability": {"mode": "bundled"}}
STRATEGIES = [
    pytest.param(CANARY, 50, id="canary"),
    pytest.param(BLUE_GREEN, 50, id="blueGreen"),
    pytest.param({"strategy": "progressive"}, 42, id="progressive"),
]
"""Release sections, and the length of the longest name of a service."""


def pod_names(deployment: str) -> list[str]:
    """Names of pods of ReplicaSets with several hashes, as `SimpleNameGenerator` forms them."""
    hashes = ("5f8d7c9b4", "7d4b8c6f9d", "pr8d7c9b4")
    return [f"{deployment}-{one}-"[:58] + "x4kzb" for one in hashes]


@pytest.mark.parametrize(("release", "longest"), STRATEGIES)
def test_a_pod_of_a_service_with_a_name_of_any_length_has_the_role_of_its_deployment(
    release: dict[str, Any], longest: int
) -> None:
    for length in range(1, longest + 1):
        name = "b" * length
        entry = changed(BEACON, {"release": release})
        stack = validate("test", {**SMALLEST, **BUNDLED, "services": {name: entry}})
        service = MonitoredService.of(stack.services[name], "test", stack.observability)
        for track in get_args(Track):
            for pod in pod_names(service.roles.deployments[track]):
                found = {
                    one for one in get_args(Track) if re.fullmatch(service.pod_pattern(one), pod)
                }
                assert found == {track}, pod
