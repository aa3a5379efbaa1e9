import re
from typing import Any

import pytest

from components.track_roles import TrackRoles
from tests.unit.stacks import service

BLUE_GREEN = {"strategy": "blueGreen", "blueGreen": {"live": "green"}}
CASES: list[tuple[dict[str, Any], dict[str, str], dict[str, str]]] = [
    (
        {},
        {"beacon stable": "stable", "beacon canary": "canary"},
        {"stable": "beacon-stable", "canary": "beacon-canary"},
    ),
    (
        BLUE_GREEN,
        {"beacon green": "stable", "beacon blue": "canary", "beacon stable": "stable"},
        {"stable": "beacon-green", "canary": "beacon-blue"},
    ),
    (
        {"strategy": "progressive"},
        {
            "beacon-primary progressive": "stable",
            "beacon progressive": "canary",
            "beacon stable": "stable",
        },
        {"stable": "beacon-progressive-primary", "canary": "beacon-progressive"},
    ),
]


def role(roles: TrackRoles, pod: str) -> str:
    """The role of a pod with these labels ``app.kubernetes.io/name`` and ``track``."""
    name, track = pod.split()
    assert name in roles.pod_names
    labels = {"app.kubernetes.io/name": name, "track": track}
    found = track
    for rule in roles.rules:
        if labels[rule.label] == rule.value:
            found = rule.track
    return found


@pytest.mark.parametrize(("release", "pods", "deployments"), CASES)
def test_the_pods_that_serve_have_the_role_stable_and_those_of_the_new_version_canary(
    release: dict[str, Any], pods: dict[str, str], deployments: dict[str, str]
) -> None:
    roles = TrackRoles.of(service(release=release, observability={"mode": "bundled"}))
    assert {pod: role(roles, pod) for pod in pods} == pods
    assert dict(roles.deployments) == deployments
    for name in deployments.values():
        assert re.fullmatch(roles.deployment_pattern, name)
