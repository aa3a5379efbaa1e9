"""An object is ready when it does what it is there for, and its state says why if it is not."""

from typing import Any

import pytest

from plugins.kubernetes.readiness import Find, problems, verdict


def finder(*objects: dict[str, Any]) -> Find:
    def find(api_version: str, kind: str, key: str | None = None) -> list[dict[str, Any]]:
        return [
            item
            for item in objects
            if (item["apiVersion"], item["kind"]) == (api_version, kind)
            and key in (None, item["key"])
        ]

    return find


NOTHING = finder()


def made(kind: str, spec: Any = None, status: Any = None, **metadata: Any) -> dict[str, Any]:
    api_version, _, kind = kind.rpartition("/")
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "x", "namespace": "n", "generation": 2, "uid": "u", **metadata},
        "spec": spec or {},
        "status": status or {},
    }


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


ROLLED_OUT = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
STATEFUL = {
    "observedGeneration": 2,
    "replicas": 3,
    "readyReplicas": 3,
    "updatedReplicas": 3,
    "currentRevision": "b",
    "updateRevision": "b",
}
DAEMONS = {
    "observedGeneration": 2,
    "desiredNumberScheduled": 2,
    "updatedNumberScheduled": 2,
    "numberAvailable": 2,
}
PUBLISHED = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}


@pytest.mark.parametrize(
    ("obj", "state", "said"),
    [
        (made("apps/v1/Deployment", {"replicas": 3}, ROLLED_OUT), "ready", ""),
        (made("apps/v1/Deployment", {"replicas": 3}), "waiting", "controller"),
        (made("apps/v1/Deployment", {"replicas": 0}, generation=1), "ready", ""),
        (
            made("apps/v1/Deployment", {"replicas": 3}, {**ROLLED_OUT, "updatedReplicas": 1}),
            "waiting",
            "1 of 3 pods have the new template",
        ),
        (
            made("apps/v1/Deployment", {"replicas": 3}, {**ROLLED_OUT, "replicas": 4}),
            "waiting",
            "1 old still running",
        ),
        (
            made("apps/v1/Deployment", {"replicas": 3}, {**ROLLED_OUT, "availableReplicas": 2}),
            "waiting",
            "2 of 3 pods are available",
        ),
        (
            made(
                "apps/v1/Deployment",
                {"replicas": 1},
                {
                    "observedGeneration": 2,
                    "conditions": [
                        condition("Progressing", "False", "ProgressDeadlineExceeded", "too slow")
                    ],
                },
            ),
            "failed",
            "[ProgressDeadlineExceeded] too slow",
        ),
        (
            made(
                "apps/v1/Deployment",
                {"replicas": 1},
                {
                    "observedGeneration": 2,
                    "conditions": [
                        condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota")
                    ],
                },
            ),
            "waiting",
            "[FailedCreate] exceeded quota",
        ),
        (made("apps/v1/StatefulSet", {"replicas": 3}, STATEFUL), "ready", ""),
        (
            made("apps/v1/StatefulSet", {"replicas": 3}, {**STATEFUL, "readyReplicas": 1}),
            "waiting",
            "1 of 3 pods are ready",
        ),
        (
            made(
                "apps/v1/StatefulSet",
                {"replicas": 3},
                {**STATEFUL, "currentRevision": "a", "updatedReplicas": 2},
            ),
            "waiting",
            "2 of 3 pods have the new template",
        ),
        (
            made(
                "apps/v1/StatefulSet",
                {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
                {**STATEFUL, "currentRevision": "a", "updatedReplicas": 1},
            ),
            "ready",
            "",
        ),
        (
            made(
                "apps/v1/StatefulSet",
                {"replicas": 3, "updateStrategy": {"type": "OnDelete"}},
                {**STATEFUL, "currentRevision": "a"},
            ),
            "ready",
            "",
        ),
        (made("apps/v1/DaemonSet", {}, DAEMONS), "ready", ""),
        (
            made("apps/v1/DaemonSet", {}, {**DAEMONS, "numberAvailable": 1}),
            "waiting",
            "1 of 2 pods are available",
        ),
        (
            made("batch/v1/Job", {}, {"conditions": [condition("Complete", "True")]}),
            "ready",
            "",
        ),
        (made("batch/v1/Job", {}, {"active": 1}), "waiting", "1 active"),
        (
            made(
                "batch/v1/Job",
                {},
                {"conditions": [condition("Failed", "True", "BackoffLimitExceeded", "twice")]},
            ),
            "failed",
            "[BackoffLimitExceeded] twice",
        ),
        (made("v1/Pod", {}, {"conditions": [condition("Ready", "True")]}), "ready", ""),
        (made("v1/Pod", {}, {"phase": "Succeeded"}), "ready", ""),
        (made("v1/Pod", {}, {"phase": "Failed", "message": "evicted"}), "failed", "evicted"),
        (made("v1/Pod", {}, {"phase": "Pending"}), "waiting", "pod"),
        (made("v1/Service", {"clusterIP": "None", "selector": {"a": "b"}}), "ready", ""),
        (made("v1/Service", {"type": "ExternalName"}), "ready", ""),
        (made("v1/Service", {"type": "LoadBalancer"}), "waiting", "loadBalancer"),
        (made("v1/Service", {"type": "LoadBalancer"}, PUBLISHED), "ready", ""),
        (made("networking.k8s.io/v1/Ingress", {}, PUBLISHED), "ready", ""),
        (
            made("networking.k8s.io/v1/Ingress", {"ingressClassName": "nginx"}),
            "waiting",
            "ingress class nginx",
        ),
        (made("v1/PersistentVolumeClaim", {}, {"phase": "Bound"}), "ready", ""),
        (made("v1/PersistentVolumeClaim", {}, {"phase": "Lost"}), "failed", "volume"),
        (
            made("v1/PersistentVolumeClaim", {"storageClassName": "fast"}, {"phase": "Pending"}),
            "waiting",
            "storage class fast",
        ),
        (
            made(
                "apiextensions.k8s.io/v1/CustomResourceDefinition",
                {},
                {"conditions": [condition("Established", "True")]},
            ),
            "ready",
            "",
        ),
        (
            made(
                "apiextensions.k8s.io/v1/CustomResourceDefinition",
                {},
                {"conditions": [condition("NamesAccepted", "False", "KindConflict", "taken")]},
            ),
            "failed",
            "[KindConflict] taken",
        ),
        (made("autoscaling/v2/HorizontalPodAutoscaler"), "ready", ""),
        (
            made(
                "autoscaling/v2/HorizontalPodAutoscaler",
                {},
                {"conditions": [condition("AbleToScale", "False", "FailedGetScale", "no target")]},
            ),
            "waiting",
            "[FailedGetScale] no target",
        ),
        (made("v1/ResourceQuota", {"hard": {"pods": "1"}}), "waiting", "quota"),
        (
            made("v1/ResourceQuota", {"hard": {"pods": "1"}}, {"hard": {"pods": "1"}}),
            "ready",
            "",
        ),
        (made("v1/ConfigMap"), "ready", ""),
    ],
)
def test_an_object_is_ready_or_says_what_it_waits_for(obj: dict[str, Any], state: str, said: str):
    found = verdict(obj, NOTHING)
    assert found.state == state
    assert said in found.message


def test_an_object_that_is_not_to_be_waited_for_is_ready():
    skipped = {"annotations": {"pulumi.com/skipAwait": "true"}}
    assert verdict(made("v1/Pod", {}, {"phase": "Pending"}, **skipped), NOTHING).state == "ready"


def pod(name: str, **status: Any) -> dict[str, Any]:
    found = made("v1/Pod", {}, status, name=name, labels={"app": "x"}, uid=name)
    return {**found, "key": name}


def endpoints(*ready: bool) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "key": "x",
        "endpoints": [{"conditions": {"ready": item}} for item in ready],
    }


SERVICE = made("v1/Service", {"selector": {"app": "x"}, "clusterIP": "10.0.0.1"})


def test_a_service_is_ready_with_its_first_ready_pod():
    assert verdict(SERVICE, finder(pod("a"), endpoints(False, True))).state == "ready"
    assert verdict(SERVICE, finder(pod("a"), endpoints(False, False))).state == "waiting"
    assert verdict(SERVICE, finder(pod("a"))).state == "waiting"


def test_a_service_that_selects_no_pod_has_nothing_to_wait_for():
    assert verdict(SERVICE, NOTHING).state == "ready"
    assert verdict(SERVICE, finder(pod("done", phase="Succeeded"))).state == "ready"


def test_a_claim_whose_volume_comes_with_its_first_pod_is_ready_while_pending():
    late = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "key": "late"}
    find = finder({**late, "volumeBindingMode": "WaitForFirstConsumer"})
    claim = made("v1/PersistentVolumeClaim", {"storageClassName": "late"}, {"phase": "Pending"})
    assert verdict(claim, find).state == "ready"


DEPLOYMENT = made("apps/v1/Deployment", {"selector": {"matchLabels": {"app": "x"}}})


def test_the_reasons_name_the_pod_the_container_and_its_end():
    crashed = pod(
        "a",
        containerStatuses=[
            {
                "name": "main",
                "ready": False,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                "lastState": {"terminated": {"exitCode": 2, "reason": "Error", "message": "boom"}},
            }
        ],
    )
    assert problems(DEPLOYMENT, finder(crashed)) == [
        "[Pod n/a] container main: CrashLoopBackOff: back-off 10s; exit code 2 (Error): boom"
    ]


def test_the_reasons_tell_of_scheduling_and_of_warnings_about_the_pod():
    unscheduled = pod(
        "a", conditions=[condition("PodScheduled", "False", "Unschedulable", "no node")]
    )
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "key": "a",
        "type": "Warning",
        "reason": "FailedMount",
        "message": 'configmap "settings" not found',
    }
    assert problems(DEPLOYMENT, finder(unscheduled, event)) == [
        "[Pod n/a] Unschedulable: no node",
        '[Pod a] FailedMount: configmap "settings" not found',
    ]


def test_pods_that_run_are_no_reason():
    fine = pod("a", conditions=[condition("Ready", "True")])
    assert problems(DEPLOYMENT, finder(fine)) == []


@pytest.mark.parametrize(
    ("judged", "state"), [("2026-01-01T00:00:00Z", "waiting"), ("2026-01-01T00:02:00Z", "failed")]
)
def test_a_missed_deadline_counts_only_for_what_was_written_before_it(
    judged: str, state: str
) -> None:
    late = condition("Progressing", "False", "ProgressDeadlineExceeded", "too slow")
    deployment = made(
        "apps/v1/Deployment",
        {"replicas": 1},
        {"observedGeneration": 2, "conditions": [{**late, "lastUpdateTime": judged}]},
        managedFields=[
            {"manager": "pulumi-kubernetes", "time": "2026-01-01T00:01:00Z"},
            {"manager": "controller", "time": "2026-01-01T00:03:00Z", "subresource": "status"},
        ],
    )
    assert verdict(deployment, NOTHING).state == state
