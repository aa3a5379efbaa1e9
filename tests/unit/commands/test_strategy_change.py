"""Routes of services that are no longer progressive."""

import json
import os
from typing import Any

import pytest

from commands import strategy_change
from tests.unit.commands.fake_kubectl import Cluster
from tests.unit.stacks import settings

PROGRESSIVE = {"release": {"strategy": "progressive"}, "observability": {"mode": "bundled"}}
GATEWAY = {"routing": {"backend": "gateway"}}
ISTIO = {"routing": {"backend": "istio"}}
NAME = "beacon-progressive"
HTTP_ROUTE = {NAME: "httproutes"}
VIRTUAL_SERVICE = {NAME: "virtualservices.networking.istio.io"}


@pytest.mark.parametrize(
    ("changes", "canary", "provider", "replaced"),
    [
        ({}, NAME, "gatewayapi:v1", HTTP_ROUTE),
        ({**PROGRESSIVE, **GATEWAY}, NAME, "gatewayapi:v1", {}),
        (PROGRESSIVE, NAME, "gatewayapi:v1", HTTP_ROUTE),
        (ISTIO, NAME, "istio", VIRTUAL_SERVICE),
        ({**PROGRESSIVE, **ISTIO}, NAME, "istio", {}),
        ({}, NAME, "nginx", {}),
        ({}, "other-progressive", "gatewayapi:v1", {}),
    ],
)
def test_a_route_is_replaced_if_flagger_no_longer_makes_it(
    cluster: Cluster,
    changes: dict[str, Any],
    canary: str,
    provider: str,
    replaced: dict[str, str],
) -> None:
    found = {"items": [{"metadata": {"name": canary}, "spec": {"provider": provider}}]}
    cluster.kubectl_prints("get canaries.flagger.app", json.dumps(found))
    assert strategy_change.replaced_canaries(settings(**changes), environment(cluster)) == replaced


def test_a_cluster_without_canaries_has_no_route_to_replace(cluster: Cluster) -> None:
    cluster.kubectl_prints("get canaries", "", "the server has no such resource", 1)
    assert strategy_change.replaced_canaries(settings(), environment(cluster)) == {}


def test_a_canary_is_suspended_before_its_route_is_deleted(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy_change, "PROXY_SECONDS", 0)
    strategy_change.delete_routes(HTTP_ROUTE, settings(), environment(cluster))
    calls = [json.loads(line) for line in (cluster.folder / "calls").read_text().splitlines()]
    assert [call[0] for call in calls] == ["apply", "delete"]
    assert calls[1][1:3] == ["httproutes", NAME]
    (applied,) = (cluster.folder / "applied").read_text().splitlines()
    assert json.loads(applied)["spec"] == {"suspend": True}


def environment(cluster: Cluster) -> dict[str, str]:
    return {"PATH": f"{cluster.folder}{os.pathsep}{os.environ['PATH']}"}
