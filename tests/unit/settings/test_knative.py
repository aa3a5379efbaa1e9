"""Keys of a service that do not apply to a Knative Service are refused, with what does."""

from typing import Any

import pytest

from settings import SettingsError
from tests.unit.stacks import BEACON, CANARY, changed, service, settings

KNATIVE = {"kind": "knative"}


def stable_with(settings: dict[str, Any]) -> dict[str, Any]:
    """Release with a canary, whose stable version has settings of its own."""
    return changed(CANARY, {"stable": {"settings": settings}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"workload": {"knative": {"maxScale": 4}}},
            'workload.kind is "deployment": use "knative", or remove workload.knative',
        ),
        (
            {"workload": {**KNATIVE, "knative": {"minScale": 5, "maxScale": 4}}},
            "workload.knative.minScale is 5: use at most maxScale, which is 4",
        ),
        (
            {"workload": KNATIVE, "autoscaling": {"minReplicas": 2}},
            "autoscaling.minReplicas is 2: use workload.knative.minScale and maxScale",
        ),
        (
            {"workload": KNATIVE, "podDisruptionBudget": {"maxUnavailable": 1}},
            "podDisruptionBudget.maxUnavailable is 1: use workload.knative.minScale",
        ),
        (
            {"workload": {**KNATIVE, "rollout": {"maxSurge": 2}}},
            "workload.rollout.maxSurge is 2: use none: a new version gets requests when",
        ),
        (
            {"workload": {**KNATIVE, "replicas": 2}},
            "workload.replicas is 2: use workload.knative.minScale and maxScale",
        ),
        (
            {"workload": {**KNATIVE, "preStopSleepSeconds": 2}},
            "workload.preStopSleepSeconds is 2: use routing.requestTimeoutSeconds: queue-proxy",
        ),
        (
            {"workload": KNATIVE, "release": {"strategy": "blueGreen"}},
            'release.strategy is "blueGreen": use "rolling" or "canary" with workload.kind',
        ),
        (
            {"workload": KNATIVE, "ports": {"http": 8080, "admin": 9095}},
            'ports is {"http": 8080, "admin": 9095}: use one port, http, with workload.kind',
        ),
        (
            {"workload": KNATIVE, "ports": {"http": 80}},
            "ports.http is 80: use a port of at least 1024, and none of queue-proxy's: 8008",
        ),
        (
            {"workload": KNATIVE, "ports": {"http": 8012}},
            "ports.http is 8012: use a port of at least 1024, and none of queue-proxy's: 8008",
        ),
        (
            {"workload": KNATIVE, "pprofPort": 9090},
            "pprofPort is 9090: use a port of at least 1024, and none of queue-proxy's: 8008",
        ),
        (
            {"workload": KNATIVE, "release": stable_with({"args": ["--verbose"]})},
            'release.stable.settings.workload.kind is "deployment": use "knative", or change',
        ),
        (
            {"release": stable_with({"workload": KNATIVE})},
            'release.stable.settings.workload.kind is "knative": use "deployment", or change',
        ),
        (
            {"workload": KNATIVE, "routing": {"hosts": ["a.example.com", "*.example.com"]}},
            'routing.hosts is ["*.example.com"]: use hosts without *: a DomainMapping has one',
        ),
        (
            {"workload": KNATIVE, "env": {"PORT": "1"}},
            'env.PORT is "…": use another name: Knative sets this variable',
        ),
        (
            {
                "workload": KNATIVE,
                "secrets": {
                    "port": {"generate": {}, "as": "env", "variable": "PORT", "reason": "It must."}
                },
            },
            'secrets.port.variable is "PORT": use another variable: Knative sets this one',
        ),
        (
            {"workload": KNATIVE, "routing": {"backend": "gateway"}},
            'routing.backend is "gateway": use none: Knative\'s networking layer',
        ),
        (
            {"workload": KNATIVE, "routing": {"paths": ["/api"]}},
            'routing.paths is ["/api"]: use ["/"] with workload.kind "knative"',
        ),
        (
            {"workload": KNATIVE, "slo": {"source": "proxy"}},
            'slo.source is "proxy": use "service" or "queries": the gateway of Knative is not',
        ),
        (
            {"workload": KNATIVE, "peers": {"from": [{"namespace": "batch"}]}},
            'peers.from is [{"namespace": "batch"}]: use none: requests inside the cluster',
        ),
    ],
)
def test_a_key_that_does_not_apply_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        service(**changes)
    first = error.value.errors[0].removeprefix("slipway:services.beacon.")
    assert first.startswith(message), error.value.errors


def test_requests_of_other_services_pass_the_gateway_of_knative() -> None:
    shop = {**BEACON, "routing": None, "peers": {"to": [{"service": "beacon"}]}}
    with pytest.raises(SettingsError, match=r"use peers\.to\.namespace with the namespace"):
        settings(services={"beacon": {"workload": KNATIVE}, "shop": shop})


def test_the_name_of_the_deployment_of_a_revision_has_at_most_63_characters() -> None:
    longest = "b" * (63 - len("-stable-0123456789-deployment"))
    beacon = {**BEACON, "routing": None}
    settings(services={longest: {**beacon, "workload": KNATIVE}})
    settings(services={f"{longest}b": beacon})
    allowed = (
        f'slipway:services is "{longest}b": use at most {len(longest)} characters with workload'
    )
    with pytest.raises(SettingsError, match=allowed):
        settings(services={f"{longest}b": {**beacon, "workload": KNATIVE}})


def test_a_knative_service_has_no_sidecar_of_a_mesh() -> None:
    with pytest.raises(SettingsError, match=r'workload\.kind is "knative": use "deployment": mesh'):
        settings(workload=KNATIVE, mesh={"istio": {}})


def test_all_pods_of_a_release_fit_into_the_quota() -> None:
    beacon = service(release=CANARY, workload={**KNATIVE, "knative": {"maxScale": 4}})
    assert beacon.max_pods == 3 * 4
    # 512Mi of the service, 200Mi of queue-proxy.
    assert beacon.total("limits", "memory") == (512 + 200) * 2**20
