"""Objects of a progressive release: Canary, MetricTemplates, and those of the primary."""

from typing import Any

import pytest

from components.observability.monitored_service import MonitoredService
from components.observability.release_gates import prometheus_url, release_gates
from components.service.progressive import Analysis
from components.service.release import Release
from tests.unit.components.service.template import template
from tests.unit.harness import Registry, run
from tests.unit.stacks import changed, settings

DIGEST = "registry/beacon@sha256:new"
GATEWAY = {"routing": {"backend": "gateway"}}


def released(changes: dict[str, Any] | None = None, **progressive: Any) -> tuple[Release, Registry]:
    release = {"strategy": "progressive", "progressive": progressive}
    base = {"release": release, "observability": {"mode": "bundled"}}
    stack = settings(**changed(base, changes or {}))
    service = stack.services["beacon"]
    monitored = MonitoredService.of(service, stack.namespace.name, stack.observability)
    gates = release_gates(monitored, service.release.progressive)
    analysis = Analysis(gates, prometheus_url(stack.observability, stack.network))
    releases: list[Release] = []
    registry = run(
        lambda: releases.append(
            Release(
                "beacon",
                {
                    "release": service.release,
                    "images": {"stable": DIGEST},
                    "workload": template(stack),
                    "analysis": analysis,
                },
            )
        )
    )
    return releases[0], registry


def canary(changes: dict[str, Any] | None = None, **progressive: Any) -> dict[str, Any]:
    return released(changes, **progressive)[1].one("Canary")["spec"]


def analysis(changes: dict[str, Any] | None = None, **progressive: Any) -> dict[str, Any]:
    return canary(changes, **progressive)["analysis"]


def test_flagger_scales_the_deployment_and_the_program_does_not_wait_for_its_pods() -> None:
    _, registry = released()
    deployment = registry.resources[registry.urn_of("Deployment", "beacon-progressive")]
    assert deployment.ignore_changes == ("spec.replicas",)
    assert deployment.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    assert registry.named("HorizontalPodAutoscaler") == {"beacon-progressive"}
    spec = registry.one("Canary")["spec"]
    assert spec["targetRef"]["name"] == spec["autoscalerRef"]["name"] == "beacon-progressive"


def test_the_route_that_flagger_creates_has_the_annotations_of_external_dns() -> None:
    dns = {"route53": {"setIdentifier": "east-1", "weight": 50}}
    service = canary({"routing": {"backend": "gateway", "dns": dns}})["service"]
    assert service["apex"]["annotations"] == {
        "external-dns.kubernetes.io/set-identifier": "east-1",
        "external-dns.kubernetes.io/aws-weight": "50",
    }


def test_a_service_with_tls_is_routed_from_its_own_listeners() -> None:
    tls = {"mode": "selfSigned", "hstsSeconds": 60}
    routing = {"backend": "gateway", "gateway": {"sectionName": "web"}, "tls": tls}
    service = canary({"routing": routing})["service"]
    assert [ref["kind"] for ref in service["gatewayRefs"]] == ["ListenerSet"]
    assert service["headers"]["response"]["set"] == {"Strict-Transport-Security": "max-age=60"}


def test_the_objects_of_the_primary_select_the_pods_that_flagger_creates() -> None:
    _, registry = released()
    pods = registry.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    primary = {**pods, "app.kubernetes.io/name": "beacon-primary"}
    name = "beacon-progressive-primary"
    for selector in (
        registry.one("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"],
        registry.one("NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"],
        registry.one("Service", "beacon-stable")["spec"]["selector"],
        registry.one("Service", "beacon-progressive")["spec"]["selector"],
    ):
        assert selector.items() <= primary.items()
        assert not selector.items() <= pods.items()
    spec = registry.one("Deployment")["spec"]["template"]["spec"]
    for spread in spec["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"].items() <= primary.items()
    accepted = registry.one("NetworkPolicy", name)["spec"]["ingress"]
    assert accepted == registry.one("NetworkPolicy", "beacon-progressive")["spec"]["ingress"]


def test_the_service_of_stable_changes_to_the_primary_when_its_pods_are_ready() -> None:
    _, registry = released()
    budget = registry.urn_of("PodDisruptionBudget", "beacon-progressive-primary")
    wait = registry.resources[budget].inputs["metadata"]["annotations"]["pulumi.com/waitFor"]
    assert wait == "condition=DisruptionAllowed"
    assert registry.urn_of("Canary", "beacon-progressive") in registry.resources[budget].depends_on
    stable = registry.urn_of("Service", "beacon-stable")
    assert budget in registry.resources[stable].depends_on


@pytest.mark.parametrize(
    ("backend", "provider", "waits"),
    [("ingress", "nginx", False), ("gateway", "gatewayapi:v1", True), ("istio", "istio", True)],
)
def test_flagger_shifts_the_requests_of_the_main_port(
    backend: str, provider: str, *, waits: bool
) -> None:
    release, registry = released({"routing": {"backend": backend, "paths": ["/a", "/b"]}})
    found = registry.one("Canary")
    assert found["spec"]["provider"] == provider
    assert ("annotations" in found["metadata"]) is waits
    if backend == "ingress":
        assert found["spec"]["ingressRef"]["name"] == "beacon"
        assert "hosts" not in found["spec"]["service"]
    elif backend == "istio":
        service = found["spec"]["service"]
        assert service["hosts"] == ["beacon.localhost"]
        assert service["gateways"] == ["istio-ingress/public"]
        assert service["match"][:2] == [{"uri": {"exact": "/a"}}, {"uri": {"prefix": "/a/"}}]
        assert service["retries"]["attempts"] == 2
        assert service["trafficPolicy"]["outlierDetection"]["consecutive5xxErrors"] == 0
    else:
        service = found["spec"]["service"]
        assert service["hosts"] == ["beacon.localhost"]
        assert service["match"] == [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}]
        assert service["gatewayRefs"][0]["name"] == "public"
    (route,) = release.backends("http")
    assert (route.service, route.weight) == ("beacon-progressive", 100)


def test_an_additional_port_is_routed_to_the_primary() -> None:
    release, _ = released(
        {
            "ports": {"http": 8080, "grpc": 9000},
            "routing": {"additionalPorts": {"grpc": {"hosts": ["grpc.localhost"]}}},
        }
    )
    (route,) = release.backends("grpc")
    assert (route.service, route.port) == ("beacon-stable", 9000)


def test_every_gate_has_a_template_of_its_service_and_is_checked_for_the_new_version() -> None:
    _, registry = released({"release": {"stable": {"version": "1.2.0"}}}, gates={"cpu": 80})
    metrics = {one["name"]: one for one in registry.one("Canary")["spec"]["analysis"]["metrics"]}
    assert set(metrics) == {
        *("requests", "availability", "availability-stable", "latency", "latency-stable", "cpu")
    }
    assert registry.named("MetricTemplate") == {f"beacon.{name}" for name in metrics}
    availability = metrics["availability"]
    assert availability["templateRef"]["name"] == "beacon.availability"
    assert availability["templateVariables"] == {"version": "1.2.0"}
    assert availability["thresholdRange"] == {"min": 98.56}
    template = registry.one("MetricTemplate", "beacon.availability")["spec"]
    assert template["provider"]["address"] == "http://prometheus.monitoring.svc:9090"
    assert 'version=~"|{{ variables.version }}"' in template["query"]


def test_a_query_cannot_contain_actions_of_gos_templates() -> None:
    query = 'max(label_replace(x{$selector}, "a", "{{ evil }}", "", ""))'
    gate = {"name": "queue", "query": query, "max": 5}
    _, registry = released(gates={"queries": [gate]})
    text = registry.one("MetricTemplate", "beacon.queue")["spec"]["query"]
    assert '{{ "{{" }} evil }}' in text
    assert 'namespace="beacon-test",service="beacon",track="canary"' in text


@pytest.mark.parametrize(
    ("progressive", "expected"),
    [
        ({}, {"interval": "60s", "threshold": 5, "stepWeights": [10, 25, 50]}),
        ({"stepWeight": 20, "maxWeight": 50}, {"stepWeights": [20, 40, 50]}),
        ({"promotionStepWeight": 25}, {"stepWeightPromotion": 25}),
        ({"iterations": 4, "load": {}}, {"iterations": 4}),
    ],
)
def test_steps_and_iterations_are_those_of_the_settings(
    progressive: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = analysis(None, **progressive)
    assert expected.items() <= found.items()
    assert ("stepWeights" in found) is ("iterations" not in found)


def test_an_ab_test_matches_the_header_or_the_cookie() -> None:
    keys = {"iterations": 3, "match": {"header": "X-Beta", "headerValue": "1", "cookie": "beta"}}
    header, cookie = analysis(GATEWAY, **keys)["match"]
    assert header == {"headers": {"x-beta": {"exact": "1"}}}
    assert cookie == {"headers": {"cookie": {"regex": r"(^|.*;\s*)beta=always(;.*|$)"}}}
    # The HTTPRoute of an A/B test is refused without a timeout.
    assert canary(GATEWAY, **keys)["service"]["timeout"] == "0s"
    assert analysis(None, **keys)["match"][1] == {"headers": {"cookie": {"exact": "beta"}}}


def test_manual_gates_and_load_are_webhooks_of_the_load_tester() -> None:
    load = {"requestsPerSecond": 15, "path": "/api"}
    hooks = analysis(None, manual=["rollout", "promotion"], load=load, intervalSeconds=20)[
        "webhooks"
    ]
    url = "http://flagger-loadtester.home.svc:9090"
    assert [(one["type"], one["url"]) for one in hooks] == [
        ("confirm-rollout", f"{url}/gate/check"),
        ("confirm-promotion", f"{url}/gate/check"),
        ("pre-rollout", f"{url}/"),
        ("rollout", f"{url}/"),
    ]
    assert hooks[3]["metadata"]["cmd"] == (
        "hey -z 20s -c 2 -q 7.5 http://beacon-progressive-canary.home:8080/api"
    )


def test_a_version_without_analysis_is_promoted_at_once() -> None:
    assert "skipAnalysis" not in canary()
    stable = {"release": {"stable": {"version": "1.0.0", "analysis": False}}}
    assert canary(stable)["skipAnalysis"] is True


def test_a_change_of_the_autoscaling_is_a_release() -> None:
    def annotations(**scaling: int) -> dict[str, str]:
        template = released({"autoscaling": scaling})[1].one("Deployment")["spec"]["template"]
        return template["metadata"]["annotations"]

    assert annotations() != annotations(maxReplicas=20)
