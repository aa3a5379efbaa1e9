"""Deployment, HPA, disruption budget, network policy and ConfigMap of one version."""

from typing import Any

import pytest

from components.labels import Identity
from components.observability.trace_receiver import TraceReceiver
from components.service.workload import Workload
from tests.unit.components.service.template import NAMESPACE, template
from tests.unit.harness import RegisteredResource, Registry, run
from tests.unit.stacks import needs_example, settings

IMAGE = "localhost:5000/slipway/beacon:1.0.0@sha256:" + "c" * 64


def workload(traces: TraceReceiver | None = None, **changes: Any) -> Registry:
    stack = settings(**changes)
    return run(
        lambda: Workload(
            "beacon-stable",
            {
                **template(stack),
                "identity": Identity("beacon", NAMESPACE, "stable", "1.0.0"),
                "image": IMAGE,
                "traces": traces,
            },
        )
    )


def rollout_timeouts(**changes: Any) -> tuple[str, str]:
    """Custom timeouts of the Deployment for create and update."""
    registry = workload(**changes)
    return registry.resources[registry.urn_of("Deployment", "beacon-stable")].custom_timeouts


def test_objects_are_named_after_the_track_and_created_in_the_namespace() -> None:
    for resource in workload().resources.values():
        if resource.type.startswith("kubernetes:"):
            assert resource.inputs["metadata"]["name"] == "beacon-stable"
            assert resource.inputs["metadata"]["namespace"] == NAMESPACE


def deployment(registry: Registry) -> RegisteredResource:
    return registry.resources[registry.urn_of("Deployment", "beacon-stable")]


def test_the_hpa_owns_the_replicas_of_a_deployment_that_is_created_with_its_minimum() -> None:
    registry = workload(autoscaling={"minReplicas": 4, "maxReplicas": 7})
    assert registry.one("Deployment")["spec"]["replicas"] == 4
    assert deployment(registry).ignore_changes == ("spec.replicas",)
    autoscaler = registry.one("HorizontalPodAutoscaler")["spec"]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "beacon-stable"}
    assert autoscaler["scaleTargetRef"] == target
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == (4, 7)


def test_more_pods_at_the_start_are_no_other_revision_that_flagger_would_analyze() -> None:
    changes: dict[str, Any] = {
        "release": {"strategy": "progressive"},
        "observability": {"mode": "bundled"},
    }
    usual, started, scaled = (
        workload(**changes, autoscaling=scaling).one("Deployment")["spec"]
        for scaling in ({}, {"startReplicas": 6}, {"minReplicas": 6})
    )
    assert (usual["replicas"], started["replicas"]) == (3, 6)
    assert usual["template"] == started["template"] != scaled["template"]


def test_without_an_hpa_the_replicas_come_from_the_settings_even_if_an_hpa_set_others() -> None:
    registry = workload(autoscaling={"enabled": False}, workload={"replicas": 4})
    assert registry.one("Deployment")["spec"]["replicas"] == 4
    assert deployment(registry).ignore_changes == ()
    annotations = registry.one("Deployment")["metadata"]["annotations"]
    assert annotations == {"pulumi.com/patchForce": "true"}
    assert registry.of_kind("HorizontalPodAutoscaler") == []


def test_a_zero_that_the_api_server_does_not_store_is_omitted() -> None:
    spec = workload().one("Deployment")["spec"]
    container = spec["template"]["spec"]["containers"][0]
    assert "minReadySeconds" not in spec
    assert "initialDelaySeconds" not in container["startupProbe"]
    assert "initialDelaySeconds" in container["livenessProbe"]


def test_the_rollout_comes_from_the_settings() -> None:
    rollout = {
        "maxSurge": "25%",
        "maxUnavailable": 0,
        "minReadySeconds": 5,
        "revisionHistoryLimit": 4,
        "progressDeadlineSeconds": 60,
    }
    spec = workload(workload={"rollout": rollout}).one("Deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": 0}
    assert spec["minReadySeconds"] == 5
    assert spec["revisionHistoryLimit"] == 4
    assert spec["progressDeadlineSeconds"] == 60


def test_pods_have_the_label_of_their_owner() -> None:
    spec = workload(owner="team-a").one("Deployment")["spec"]
    assert spec["template"]["metadata"]["labels"]["owner"] == "team-a"
    assert "owner" not in spec["selector"]["matchLabels"]


def test_selectors_match_the_pods_of_the_track_in_all_versions() -> None:
    registry = workload()
    spec = registry.one("Deployment")["spec"]
    selector, labels = spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]
    assert selector.items() <= labels.items()
    assert "1.0.0" not in selector.values()
    assert labels["app.kubernetes.io/version"] == "1.0.0"
    assert registry.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == selector
    assert registry.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == selector


def test_the_hpa_scales_by_all_metrics_of_the_settings() -> None:
    autoscaler = workload(
        autoscaling={
            "targetCPU": 55,
            "targetMemory": 80,
            "podMetrics": [{"name": "http_requests_in_flight", "averageValue": 20}],
            "scaleUpStabilizationWindowSeconds": 30,
            "scaleDownStabilizationWindowSeconds": 90,
        }
    ).one("HorizontalPodAutoscaler")["spec"]
    cpu, memory, pods = autoscaler["metrics"]
    assert cpu["resource"] == {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 55},
    }
    assert memory["resource"]["name"] == "memory"
    assert pods["pods"] == {
        "metric": {"name": "http_requests_in_flight"},
        "target": {"type": "AverageValue", "averageValue": "20"},
    }
    assert autoscaler["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 30
    assert autoscaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 90


def test_the_disruption_budget_does_not_protect_unhealthy_pods() -> None:
    spec = workload(podDisruptionBudget={"maxUnavailable": 2}).one("PodDisruptionBudget")["spec"]
    assert spec["maxUnavailable"] == 2
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_the_service_account_token_is_not_mounted() -> None:
    assert workload().one("ServiceAccount")["automountServiceAccountToken"] is False


def test_the_deployment_depends_on_its_account_config_map_and_network_policy() -> None:
    registry = workload(config={"debug": True})
    dependencies = registry.dependencies_of(registry.urn_of("Deployment", "beacon-stable"))
    for kind in ("ServiceAccount", "ConfigMap", "NetworkPolicy"):
        assert registry.urn_of(kind, "beacon-stable") in dependencies


@needs_example
@pytest.mark.parametrize(
    ("config", "restarts"),
    [({"debug": True}, False), ({"startupCheck": "strict"}, True)],
)
def test_pods_restart_only_for_a_value_that_is_not_hot_reloaded(
    config: dict[str, Any], restarts: bool
) -> None:
    hot: dict[str, Any] = {"configFile": {"reload": "hot"}}
    before, after = workload(**hot, config={"message": "a"}), workload(**hot, config=config)
    assert before.one("ConfigMap")["data"] != after.one("ConfigMap")["data"]
    templates = [one.one("Deployment")["spec"]["template"] for one in (before, after)]
    assert (templates[0] != templates[1]) is restarts


def test_the_rollout_timeout_is_that_of_the_hpas_maximum_replicas() -> None:
    rollout = {"maxSurge": 1, "maxUnavailable": 0, "minReadySeconds": 60}
    timeouts = rollout_timeouts(autoscaling={"maxReplicas": 20}, workload={"rollout": rollout})
    # 300 s progress deadline; 20 batches of 60 s startup, 60 s ready and 30 s termination.
    assert timeouts == ("3300s", "3300s")


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"rollout": {"maxSurge": "45%", "maxUnavailable": 0}}, 2 * 90),
        ({"rollout": {"maxSurge": 0, "maxUnavailable": "25%"}}, 5 * 90),
        ({"rollout": {"maxSurge": 0, "maxUnavailable": "1%"}}, 10 * 90),
        ({"replicas": 1}, 90),
        ({"rollout": {"maxSurge": 10}, "terminationGracePeriodSeconds": 60}, 60 + 60),
    ],
)
def test_the_rollout_timeout_depends_on_the_batches_and_their_duration(
    changes: dict[str, Any], seconds: int
) -> None:
    rollout = {**changes.get("rollout", {}), "progressDeadlineSeconds": 3600}
    pods = {"replicas": 10, **changes, "rollout": rollout}
    timeout = f"{3600 + seconds}s"
    assert rollout_timeouts(autoscaling={"enabled": False}, workload=pods) == (timeout, timeout)


@pytest.mark.parametrize(
    ("probes", "seconds"),
    [
        ({"readiness": {"initialDelaySeconds": 70}}, 70 + 30),
        ({"startup": {"initialDelaySeconds": 5, "periodSeconds": 2}}, 5 + 2 * 60 + 30),
        ({"startup": None, "readiness": None}, 30),
    ],
)
def test_the_rollout_timeout_depends_on_the_probes(probes: dict[str, Any], seconds: int) -> None:
    timeout = f"{300 + seconds}s"
    pods = {"replicas": 1}
    assert rollout_timeouts(autoscaling={"enabled": False}, workload=pods, probes=probes) == (
        timeout,
        timeout,
    )


def test_the_annotations_of_the_service_account_come_from_the_settings() -> None:
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/shop"}
    account = workload(serviceAccount={"annotations": annotations}).one("ServiceAccount")
    assert account["metadata"]["annotations"] == annotations
    assert "annotations" not in workload().one("ServiceAccount")["metadata"]
