"""Pod spec: security context, scheduling, resources and probes."""

from typing import Any

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


def test_no_api_server_token_is_mounted() -> None:
    assert pod()["automountServiceAccountToken"] is False


def test_only_tmp_is_writable_and_its_size_is_limited() -> None:
    spec = pod(ephemeralStorage="32Mi")
    mounts = spec["containers"][0]["volumeMounts"]
    writable = [mount["mountPath"] for mount in mounts if not mount.get("readOnly")]
    assert writable == ["/tmp"]  # noqa: S108
    volume = next(one for one in spec["volumes"] if one["name"] == "tmp")
    assert volume["emptyDir"] == {"sizeLimit": "32Mi"}


def test_the_bearer_token_is_a_file_and_no_environment_variable() -> None:
    spec = pod()
    volume = next(one for one in spec["volumes"] if one["name"] == "token")
    assert volume["secret"]["secretName"] == "beacon-token"
    assert "secretKeyRef" not in str(spec["containers"][0]["env"])


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


def test_the_environment_limits_the_go_runtime_and_identifies_the_pod() -> None:
    env = {
        variable["name"]: variable
        for variable in container(resources={"limits": {"cpu": "1", "memory": "1Gi"}})["env"]
    }
    assert env["GOMAXPROCS"]["valueFrom"]["resourceFieldRef"]["resource"] == "limits.cpu"
    assert env["GOMEMLIMIT"]["value"] == f"{2**30 * 90 // 100}B"
    assert env["OTEL_SERVICE_NAME"]["value"] == "beacon"
    assert env["TRACK"]["value"] == "stable"
    assert env["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_probes_come_from_the_settings() -> None:
    readiness = {
        "path": "/up",
        "initialDelaySeconds": 9,
        "periodSeconds": 7,
        "timeoutSeconds": 4,
        "failureThreshold": 6,
    }
    assert container(probes={"readiness": readiness})["readinessProbe"] == {
        "httpGet": {"path": "/up", "port": "http", "scheme": "HTTP"},
        "initialDelaySeconds": 9,
        "periodSeconds": 7,
        "timeoutSeconds": 4,
        "failureThreshold": 6,
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
