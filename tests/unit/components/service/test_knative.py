"""Knative Service of a release: templates, traffic, and what the pods depend on."""

from typing import Any

import pytest

from tests.unit.components.service.test_release import released
from tests.unit.harness import RegisteredResource, Registry
from tests.unit.stacks import CANARY, changed

SERVING = "serving.knative.dev/v1"


def knative(**changes: Any) -> Registry:
    return released(**changed({"workload": {"kind": "knative"}}, changes))[1]


def resource(registry: Registry, kind: str) -> RegisteredResource:
    (only,) = (
        one
        for one in registry.resources.values()
        if one.type.endswith(f"/v1:{kind}") and one.type.startswith(f"kubernetes:{SERVING}")
    )
    return only


def template(registry: Registry, kind: str = "Service") -> dict[str, Any]:
    return resource(registry, kind).inputs["spec"]["template"]


def test_there_is_one_knative_service_and_nothing_of_a_deployment() -> None:
    registry = knative(config={"debug": True})
    assert resource(registry, "Service").inputs["metadata"]["name"] == "beacon"
    for kind in ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "core/v1:Service"):
        assert registry.of_kind(kind) == []
    for kind in ("ServiceAccount", "ConfigMap", "NetworkPolicy"):
        assert registry.named(kind) == {"beacon-stable"}


def test_the_traffic_names_the_revisions_of_both_tracks() -> None:
    registry = knative(release=CANARY)
    configuration = resource(registry, "Configuration").inputs
    assert configuration["metadata"]["name"] == "beacon-canary"
    name = configuration["spec"]["template"]["metadata"]["name"]
    assert name.startswith("beacon-canary-")
    stable = template(registry)["metadata"]["name"]
    assert stable.startswith("beacon-stable-")
    assert resource(registry, "Service").inputs["spec"]["traffic"] == [
        {"revisionName": stable, "latestRevision": False, "percent": 90, "tag": "stable"},
        {"revisionName": name, "latestRevision": False, "percent": 10, "tag": "canary"},
    ]
    images = [
        template(registry, kind)["spec"]["containers"][0]["image"]
        for kind in ("Service", "Configuration")
    ]
    assert images == ["registry/beacon@sha256:old", "registry/beacon@sha256:new"]


def test_the_canary_is_ready_before_requests_are_routed_to_it() -> None:
    registry = knative(release=CANARY)
    urns = {
        kind: next(
            urn for urn, one in registry.resources.items() if one == resource(registry, kind)
        )
        for kind in ("Service", "Configuration")
    }
    assert urns["Configuration"] in registry.dependencies_of(urns["Service"])


@pytest.mark.parametrize(
    "changes",
    [
        {"env": {"A": "1"}},
        {"workload": {"knative": {"maxScale": 3}}},
        {"release": {"stable": {"version": "1.0.1"}}},
    ],
)
def test_another_template_has_another_revision_and_the_same_one_the_same(
    changes: dict[str, Any],
) -> None:
    before, again, after = (template(knative(**one))["metadata"] for one in ({}, {}, changes))
    assert before["name"] == again["name"] != after["name"]


def test_the_update_waits_for_the_new_revision() -> None:
    service = resource(knative(), "Service").inputs
    name = service["spec"]["template"]["metadata"]["name"]
    assert service["metadata"]["annotations"]["pulumi.com/waitFor"] == (
        f'["jsonpath={{.status.latestReadyRevisionName}}={name}", "condition=Ready"]'
    )


def test_the_scale_and_the_concurrency_come_from_the_settings() -> None:
    settings = {
        "minScale": 1,
        "maxScale": 7,
        "metric": "rps",
        "target": 50,
        "containerConcurrency": 20,
        "scaleToZeroRetentionSeconds": 60,
    }
    revision = template(knative(workload={"knative": settings}))
    annotations = revision["metadata"]["annotations"]
    prefix = "autoscaling.knative.dev/"
    found = {key.removeprefix(prefix): one for key, one in annotations.items() if prefix in key}
    assert found == {
        "min-scale": "1",
        "max-scale": "7",
        "initial-scale": "1",
        "metric": "rps",
        "target": "50",
        "scale-down-delay": "0s",
        "scale-to-zero-pod-retention-period": "60s",
    }
    assert revision["spec"]["containerConcurrency"] == 20


def test_the_pods_are_as_secure_as_those_of_a_deployment() -> None:
    spec = template(knative())["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["resources"]["limits"].keys() == {"cpu", "memory", "ephemeral-storage"}
    (selector, _) = (one["labelSelector"] for one in spec["topologySpreadConstraints"])
    assert selector["matchLabels"]["app.kubernetes.io/name"] == "beacon"
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container["ports"] == [{"name": "http1", "containerPort": 8080, "protocol": "TCP"}]


def test_the_probes_have_what_the_webhook_adds_to_a_new_revision() -> None:
    probes = {
        "startup": {"tcpSocket": {}},
        "liveness": {"grpc": {"port": "http"}},
        "readiness": {"httpGet": {"path": "/ready"}},
    }
    (container,) = template(knative(probes=probes))["spec"]["containers"]
    assert container["startupProbe"]["tcpSocket"] == {"port": 8080}
    assert container["livenessProbe"]["grpc"] == {"port": 8080, "service": ""}
    assert "successThreshold" not in container["livenessProbe"]
    readiness = container["readinessProbe"]
    assert readiness["httpGet"] == {"path": "/ready", "port": 8080, "scheme": "HTTP"}
    assert readiness["successThreshold"] == 1
    (container,) = template(knative(probes={"readiness": None}))["spec"]["containers"]
    assert container["readinessProbe"] == {"tcpSocket": {"port": 8080}, "successThreshold": 1}


def test_only_knative_and_the_proxy_connect_to_the_pods() -> None:
    policy = knative(metrics=None).one("NetworkPolicy")["spec"]
    namespaces = [
        one["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for one in policy["ingress"]
    ]
    assert namespaces == ["knative-serving", "ingress"]
    ports = [[port["port"] for port in one["ports"]] for one in policy["ingress"]]
    assert ports == [[8012, 8013, 9090], [8012, 8013]]


def test_prometheus_connects_to_the_port_that_knative_names() -> None:
    policy = knative(metrics={}).one("NetworkPolicy")["spec"]
    assert policy["ingress"][2]["ports"] == [{"protocol": "TCP", "port": "user-port"}]


def test_each_host_is_mapped_to_the_service() -> None:
    registry = knative(routing={"hosts": ["a.example.com", "b.example.com"]})
    assert registry.named("DomainMapping") == {"a.example.com", "b.example.com"}
    assert registry.named("ClusterDomainClaim") == {"a.example.com", "b.example.com"}
    local = resource(knative(routing=None), "Service").inputs["metadata"]["labels"]
    assert local["networking.knative.dev/visibility"] == "cluster-local"
