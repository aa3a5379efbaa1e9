"""Pod spec: security context, scheduling, resources and probes."""

from typing import Any

import pytest

from tests.unit.components.service.test_workload import IMAGE, workload


def pod(**changes: Any) -> dict[str, Any]:
    return workload(workload=changes).one("Deployment")["spec"]["template"]["spec"]


def container(**changes: Any) -> dict[str, Any]:
    (only,) = pod(**changes)["containers"]
    return only


def test_the_security_context_satisfies_restricted_with_a_read_only_root_filesystem() -> None:
    spec = pod()
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["runAsGroup"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def of_service(**changes: Any) -> dict[str, Any]:
    """Pod template of a service with changes."""
    return workload(**changes).one("Deployment")["spec"]["template"]


@pytest.mark.parametrize("is_mounted", [False, True])
def test_the_token_of_the_api_server_is_mounted_only_on_request(is_mounted: bool) -> None:
    account = {"automountServiceAccountToken": is_mounted}
    assert of_service(serviceAccount=account)["spec"]["automountServiceAccountToken"] is is_mounted


def test_only_tmp_is_writable_and_its_size_is_limited() -> None:
    spec = pod(ephemeralStorage="32Mi")
    mounts = spec["containers"][0]["volumeMounts"]
    writable = [mount["mountPath"] for mount in mounts if not mount.get("readOnly")]
    assert writable == ["/tmp"]  # noqa: S108
    volume = next(one for one in spec["volumes"] if one["name"] == "tmp")
    assert volume["emptyDir"] == {"sizeLimit": "32Mi"}


def test_the_user_and_the_group_come_from_the_settings() -> None:
    spec = of_service(securityContext={"runAsUser": 10001, "runAsGroup": 10002})["spec"]
    context = spec["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (
        10001,
        10002,
        10002,
    )


def test_an_exception_is_made_with_its_reason_only() -> None:
    template = of_service(securityContext={"exceptions": {"readOnlyRootFilesystem": "It writes."}})
    (container,) = template["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is False
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert template["metadata"]["annotations"]["exceptions/readOnlyRootFilesystem"] == "It writes."


@pytest.mark.parametrize(("port", "lowest"), [(8080, None), (1024, None), (80, "80")])
def test_a_port_below_1024_is_allowed_by_a_safe_sysctl(port: int, lowest: str | None) -> None:
    context = of_service(ports={"http": port})["spec"]["securityContext"]
    sysctl = {"name": "net.ipv4.ip_unprivileged_port_start", "value": lowest}
    assert context.get("sysctls") == ([sysctl] if lowest else None)


def test_a_secret_is_a_file_or_a_variable() -> None:
    entry = {"generate": {}, "as": "env", "variable": "TOKEN", "reason": "Its driver needs it."}
    for secrets, variables, mounted in (
        ({"token": {"generate": {}}}, [], ["beacon-token"]),
        ({"token": entry}, [{"name": "beacon-token", "key": "token"}], []),
    ):
        template = of_service(secrets=secrets)
        volumes = [one for one in template["spec"]["volumes"] if one["name"] == "secrets"]
        sources = [one for volume in volumes for one in volume["projected"]["sources"]]
        assert [source["secret"]["name"] for source in sources] == mounted
        (container,) = template["spec"]["containers"]
        read = [
            one["valueFrom"]["secretKeyRef"] for one in container["env"] if one["name"] == "TOKEN"
        ]
        assert read == variables
    assert template["metadata"]["annotations"]["exceptions/env.TOKEN"] == "Its driver needs it."


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"preStop": {"sleep": {"seconds": 5}}}),
        ({"workload": {"preStopSleepSeconds": 9}}, {"preStop": {"sleep": {"seconds": 9}}}),
        ({"workload": {"preStopSleepSeconds": 0}}, None),
        ({"ports": {}, "routing": None, "metrics": None}, None),
    ],
)
def test_a_pod_that_ends_still_serves_until_proxies_know(
    changes: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    (container,) = of_service(**changes)["spec"]["containers"]
    assert container.get("lifecycle") == expected


def test_command_args_and_ports_come_from_the_settings() -> None:
    (container,) = of_service(
        command=["/shop"], args=["serve"], ports={"http": 8080, "grpc": 8081}, pprofPort=6060
    )["spec"]["containers"]
    assert (container["command"], container["args"]) == (["/shop"], ["serve"])
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == [
        *(("http", 8080), ("grpc", 8081), ("pprof", 6060)),
    ]
    (container,) = of_service()["spec"]["containers"]
    assert not {"command", "args"} & set(container)


def test_a_worker_has_neither_ports_nor_probes() -> None:
    (container,) = of_service(ports={}, routing=None, metrics=None)["spec"]["containers"]
    assert not {"ports", "readinessProbe", "livenessProbe", "startupProbe"} & set(container)


def test_sidecars_start_before_init_containers() -> None:
    image = f"registry.example.com/tools/wait@sha256:{'e' * 64}"
    spec = of_service(
        initContainers=[{"name": "wait", "image": image}],
        sidecars=[{"name": "proxy", "image": image}],
    )["spec"]
    assert [one["name"] for one in spec["initContainers"]] == ["proxy", "wait"]


def test_the_image_has_a_digest() -> None:
    assert container()["image"] == IMAGE


def test_the_limit_of_ephemeral_storage_includes_the_logs() -> None:
    resources = {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "1", "memory": "512Mi"},
    }
    assert container(resources=resources, ephemeralStorage="32Mi")["resources"] == {
        "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "32Mi"},
        "limits": {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "96Mi"},
    }


def test_a_pod_has_the_account_of_its_track_and_the_grace_period_of_the_settings() -> None:
    spec = pod(terminationGracePeriodSeconds=77)
    assert spec["serviceAccountName"] == "beacon-stable"
    assert spec["terminationGracePeriodSeconds"] == 77


def test_images_are_pulled_with_the_image_pull_secrets() -> None:
    assert pod()["imagePullSecrets"] == [{"name": "beacon-registry"}]


def test_node_labels_are_required_or_preferred_by_node_affinity() -> None:
    labels = {"required": {"kubernetes.io/os": "linux"}, "preferred": {"disktype": "ssd"}}
    affinity = pod(scheduling={"nodeAffinity": labels})["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    ]
    (preferred,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["weight"] == 1
    assert preferred["preference"]["matchExpressions"] == [
        {"key": "disktype", "operator": "In", "values": ["ssd"]}
    ]


def test_topology_spread_counts_the_pods_of_one_version_and_track() -> None:
    topology = {"topologyKeys": ["kubernetes.io/hostname"], "whenUnsatisfiable": "DoNotSchedule"}
    (constraint,) = pod(scheduling={"topologySpread": topology})["topologySpreadConstraints"]
    assert constraint["topologyKey"] == "kubernetes.io/hostname"
    assert constraint["whenUnsatisfiable"] == "DoNotSchedule"
    assert constraint["maxSkew"] == 1
    assert constraint["matchLabelKeys"] == ["pod-template-hash"]
    assert constraint["labelSelector"]["matchLabels"]["track"] == "stable"


def test_tolerations_come_from_the_settings() -> None:
    tolerations = [
        {"key": "node-role.kubernetes.io/edge", "operator": "Exists"},
        {"key": "pool", "value": "batch", "effect": "NoExecute"},
    ]
    assert pod(scheduling={"tolerations": tolerations})["tolerations"] == [
        {"key": "node-role.kubernetes.io/edge", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "pool", "operator": "Equal", "value": "batch", "effect": "NoExecute"},
    ]


def test_pods_on_edge_nodes_stay_there_while_a_node_is_offline() -> None:
    spec = pod(edge={"architectures": ["amd64", "arm64"], "nodeGroup": "oslo"})
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"] == [
        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
        {"key": "node-role.kubernetes.io/edge", "operator": "Exists"},
        {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]},
        {"key": "apps.kubeedge.io/belonging-to", "operator": "In", "values": ["oslo"]},
    ]
    stay = {"operator": "Exists", "effect": "NoExecute"}
    assert spec["tolerations"] == [
        {"key": "node-role.kubernetes.io/edge", "operator": "Exists"},
        {"key": "node.kubernetes.io/not-ready", **stay},
        {"key": "node.kubernetes.io/unreachable", **stay},
    ]


def test_pods_on_an_offline_node_are_replaced_after_the_time_of_the_settings() -> None:
    spec = pod(edge={"architectures": ["arm64"], "offlineSeconds": 3600})
    seconds = {one["key"]: one.get("tolerationSeconds") for one in spec["tolerations"]}
    assert seconds == {
        "node-role.kubernetes.io/edge": None,
        "node.kubernetes.io/not-ready": 3600,
        "node.kubernetes.io/unreachable": 3600,
    }


def test_scheduling_can_be_unconstrained() -> None:
    spec = pod(
        scheduling={
            "nodeAffinity": {"required": {}, "preferred": {}},
            "topologySpread": {"topologyKeys": []},
        }
    )
    assert spec["affinity"] == {"nodeAffinity": {}}
    assert spec["topologySpreadConstraints"] == []
    assert "tolerations" not in spec


ISTIO = {"routing": {"backend": "istio"}, "mesh": {"istio": {"revision": "stable"}}}


def test_the_sidecar_is_injected_by_labels_of_the_pods_and_merges_the_metrics() -> None:
    template = of_service(**ISTIO)["metadata"]
    assert template["labels"]["sidecar.istio.io/inject"] == "true"
    assert template["labels"]["istio.io/rev"] == "stable"
    assert (
        template["annotations"].items()
        >= {
            "sidecar.istio.io/nativeSidecar": "true",
            "sidecar.istio.io/proxyCPU": "20m",
            "sidecar.istio.io/proxyMemoryLimit": "256Mi",
            "prometheus.io/port": "8080",
            "prometheus.io/path": "/metrics",
        }.items()
    )


def test_pods_in_no_mesh_have_nothing_of_it() -> None:
    template = of_service()["metadata"]
    assert "istio" not in str(template)
    assert "prometheus.io" not in str(template)
