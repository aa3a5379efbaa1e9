"""A Deployment and all it needs: its number, its bounds, its neighbours."""

from typing import Any

import pytest

from components.labels import Identity
from components.network_peer import NetworkPeer
from components.observability.trace_receiver import TraceReceiver
from components.service.workload import Workload
from tests.unit.components.service.template import NAMESPACE, template
from tests.unit.harness import Registry, run
from tests.unit.stacks import settings

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


def test_every_object_has_the_tracks_name_and_is_in_the_namespace() -> None:
    for resource in workload().resources.values():
        if resource.type.startswith("kubernetes:"):
            assert resource.inputs["metadata"]["name"] == "beacon-stable"
            assert resource.inputs["metadata"]["namespace"] == NAMESPACE


def test_the_autoscaler_owns_the_number_of_pods() -> None:
    registry = workload()
    assert "replicas" not in registry.one("Deployment")["spec"]
    target = registry.one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "beacon-stable"}


def test_without_an_autoscaler_the_number_is_the_settings() -> None:
    registry = workload(autoscaling={"enabled": False}, workload={"replicas": 4})
    assert registry.one("Deployment")["spec"]["replicas"] == 4
    assert registry.of_kind("HorizontalPodAutoscaler") == []


def test_a_number_that_the_api_leaves_out_when_it_is_zero_is_not_declared() -> None:
    spec = workload().one("Deployment")["spec"]
    probes = spec["template"]["spec"]["containers"][0]
    assert "minReadySeconds" not in spec
    assert "initialDelaySeconds" not in probes["startupProbe"]
    assert probes["livenessProbe"]["initialDelaySeconds"] == 15
    waiting = workload(workload={"rollout": {"minReadySeconds": 5}}).one("Deployment")["spec"]
    assert waiting["minReadySeconds"] == 5


def test_a_deployment_rolls_by_one_pod_by_default() -> None:
    spec = workload().one("Deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 1}
    assert spec["revisionHistoryLimit"] == 10
    assert spec["progressDeadlineSeconds"] == 300


def test_a_deployment_selects_its_own_pods_whatever_their_version() -> None:
    spec = workload().one("Deployment")["spec"]
    selector, labels = spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]
    assert selector.items() <= labels.items()
    assert "1.0.0" not in selector.values()
    assert labels["app.kubernetes.io/version"] == "1.0.0"


def test_scaling_follows_cpu_and_whatever_else_is_set() -> None:
    metrics = workload(
        autoscaling={
            "targetCPU": 55,
            "targetMemory": 80,
            "podMetrics": [{"name": "http_requests_in_flight", "average": 20}],
        }
    ).one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert [metric["type"] for metric in metrics] == ["Resource", "Resource", "Pods"]
    assert metrics[0]["resource"]["name"] == "cpu"
    assert metrics[0]["resource"]["target"]["averageUtilization"] == 55
    assert metrics[2]["pods"]["target"]["averageValue"] == "20"


def test_scaling_down_waits_until_less_load_has_lasted() -> None:
    spec = workload().one("HorizontalPodAutoscaler")["spec"]
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 10)


def test_a_drain_takes_one_pod_at_a_time_and_broken_pods_do_not_stop_it() -> None:
    spec = workload().one("PodDisruptionBudget")["spec"]
    assert spec["maxUnavailable"] == 1
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_requests_come_from_the_proxy_and_metrics_go_to_monitoring_and_nothing_else() -> None:
    spec = workload(network={"proxyNamespace": "edge", "monitoringNamespace": "watch"}).one(
        "NetworkPolicy"
    )["spec"]
    assert [
        (rule["from"][0]["namespaceSelector"]["matchLabels"], rule["ports"][0]["port"])
        for rule in spec["ingress"]
    ] == [
        ({"kubernetes.io/metadata.name": "edge"}, "http"),
        ({"kubernetes.io/metadata.name": "watch"}, "admin"),
    ]
    (egress,) = spec["egress"]
    assert [port["port"] for port in egress["ports"]] == [53, 53]


def test_the_service_account_has_no_token() -> None:
    assert workload().one("ServiceAccount")["automountServiceAccountToken"] is False


def test_pods_start_after_what_they_mount_and_after_their_network_policy() -> None:
    registry = workload()
    needed = registry.needed_by(registry.urn_of("Deployment", "beacon-stable"))
    for kind in ("ServiceAccount", "ConfigMap", "NetworkPolicy"):
        assert registry.urn_of(kind, "beacon-stable") in needed


@pytest.mark.parametrize(
    ("changes", "restarts"),
    [({"debug": True}, False), ({"startupCheck": "strict"}, True)],
)
def test_pods_are_replaced_only_for_values_that_need_it(
    changes: dict[str, Any], restarts: bool
) -> None:
    before, after = workload(), workload(config=changes)
    assert before.one("ConfigMap")["data"] != after.one("ConfigMap")["data"]
    templates = [one.one("Deployment")["spec"]["template"] for one in (before, after)]
    assert (templates[0] != templates[1]) is restarts


def egress(traces: TraceReceiver | None) -> list[dict[str, Any]]:
    return workload(traces).one("NetworkPolicy")["spec"]["egress"]


def test_the_pods_reach_the_receiver_of_traces_and_know_its_address() -> None:
    collector = NetworkPeer("watch", (4318,), {"app": "collector"})
    receiver = TraceReceiver("http://collector.watch.svc:4318", (collector,))
    assert egress(receiver)[1:] == [
        {
            "to": [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "watch"}},
                    "podSelector": {"matchLabels": {"app": "collector"}},
                }
            ],
            "ports": [{"port": 4318, "protocol": "TCP"}],
        }
    ]
    text = workload(receiver).one("ConfigMap")["data"]["config.yaml"]
    assert "endpoint: http://collector.watch.svc:4318" in text


def test_a_receiver_outside_the_cluster_is_reached_by_its_port_alone() -> None:
    assert egress(TraceReceiver("https://otlp.example.com", (NetworkPeer(None, (443,)),)))[1:] == [
        {"ports": [{"port": 443, "protocol": "TCP"}]}
    ]


def test_without_a_receiver_the_pods_reach_only_dns() -> None:
    assert len(egress(None)) == 1


def test_the_pods_reach_what_a_relay_asks() -> None:
    registry = workload(config={"upstream": "http://shop.store.svc/stock"})
    assert registry.one("NetworkPolicy")["spec"]["egress"][1:] == [
        {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "store"}}}]}
    ]


def waits(**changes: Any) -> tuple[str, str]:
    """How long the Deployment's creation and its update are waited for."""
    registry = workload(**changes)
    deployment = registry.resources[registry.urn_of("Deployment", "beacon-stable")]
    return deployment.waits


def test_a_rollout_is_given_what_its_pods_may_take_one_after_the_other() -> None:
    one_by_one = {"maxSurge": 1, "maxUnavailable": 0, "minReadySeconds": 60}
    given = waits(autoscaling={"maxReplicas": 20}, workload={"rollout": one_by_one})
    # 300 s without progress; 20 times 60 s to start, 60 s to be ready, 30 s to end.
    assert given == ("3300s", "3300s")


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"rollout": {"maxSurge": "45%", "maxUnavailable": 0}}, 2 * 90),
        ({"rollout": {"maxSurge": 0, "maxUnavailable": "25%"}}, 5 * 90),
        ({"rollout": {"maxSurge": 0, "maxUnavailable": "1%"}}, 10 * 90),
        ({"replicas": 1}, 90),
        ({"rollout": {"maxSurge": 10}, "terminationGracePeriodSeconds": 60}, 60 + 60),
        ({"rollout": {"maxSurge": 10}, "probes": {"readiness": {"initialDelaySeconds": 70}}}, 100),
        (
            {
                "rollout": {"maxSurge": 10},
                "probes": {"startup": {"initialDelaySeconds": 5, "periodSeconds": 2}},
            },
            5 + 2 * 60 + 30,
        ),
    ],
)
def test_a_rollouts_wait_follows_its_pace(changes: dict[str, Any], seconds: int) -> None:
    rollout = {**changes.get("rollout", {}), "progressDeadlineSeconds": 3600}
    pods = {"replicas": 10, **changes, "rollout": rollout}
    given = waits(autoscaling={"enabled": False}, workload=pods)
    assert given == (f"{3600 + seconds}s", f"{3600 + seconds}s")


def test_the_fastest_rollout_is_given_a_quarter_of_an_hour() -> None:
    assert waits() == ("900s", "900s")
