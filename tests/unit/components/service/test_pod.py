"""The pod: hardened, placed, sized, probed."""

from typing import Any

from tests.unit.components.service.test_workload import IMAGE, workload
from tests.unit.harness import containers


def pod(**changes: Any) -> dict[str, Any]:
    return workload(**changes).one("Deployment")["spec"]["template"]["spec"]


def container(**changes: Any) -> dict[str, Any]:
    (only,) = containers(workload(**changes))
    return only


def test_a_container_may_do_nothing_that_restricted_forbids() -> None:
    context = container()["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["readOnlyRootFilesystem"] is True


def test_a_pod_runs_as_nobody_in_particular() -> None:
    context = pod()["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["runAsGroup"] == 65532
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_a_pod_has_no_token_for_the_api_server() -> None:
    assert pod()["automountServiceAccountToken"] is False


def test_only_tmp_can_be_written_to_and_its_size_is_limited() -> None:
    mounts = {mount["name"]: mount for mount in container()["volumeMounts"]}
    writable = [mount["mountPath"] for mount in mounts.values() if not mount.get("readOnly")]
    assert writable == ["/tmp"]  # noqa: S108
    volume = next(one for one in pod()["volumes"] if one["name"] == "tmp")
    assert volume["emptyDir"] == {"sizeLimit": "64Mi"}


def test_the_token_is_a_file_and_not_in_the_environment() -> None:
    volume = next(one for one in pod()["volumes"] if one["name"] == "token")
    assert volume["secret"]["secretName"] == "beacon-token"
    assert not [one for one in container()["env"] if "secretKeyRef" in str(one)]


def test_the_image_is_a_digest() -> None:
    assert container()["image"] == IMAGE


def test_the_default_resources() -> None:
    assert container()["resources"] == {
        "requests": {"cpu": "200m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi", "ephemeral-storage": "128Mi"},
    }


def test_go_keeps_to_the_limits() -> None:
    limits = {"limits": {"cpu": "1", "memory": "1Gi"}}
    env = {one["name"]: one for one in container(workload={"resources": limits})["env"]}
    assert env["GOMAXPROCS"]["valueFrom"]["resourceFieldRef"]["resource"] == "limits.cpu"
    assert env["GOMEMLIMIT"]["value"] == f"{2**30 * 90 // 100}B"


def test_the_service_is_told_who_it_is() -> None:
    env = {one["name"]: one for one in container()["env"]}
    assert env["OTEL_SERVICE_NAME"]["value"] == "beacon"
    assert env["TRACK"]["value"] == "stable"
    assert env["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_the_default_probes() -> None:
    liveness = container()["livenessProbe"]
    assert liveness["httpGet"]["path"] == "/healthz"
    assert liveness["initialDelaySeconds"] == 15
    assert liveness["periodSeconds"] == 10
    assert liveness["timeoutSeconds"] == 5
    assert container()["readinessProbe"]["httpGet"]["path"] == "/ready"
    startup = container()["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 60


def test_a_probe_is_what_the_settings_say() -> None:
    probe = container(workload={"probes": {"readiness": {"path": "/up", "periodSeconds": 7}}})
    assert probe["readinessProbe"]["httpGet"]["path"] == "/up"
    assert probe["readinessProbe"]["periodSeconds"] == 7


def test_a_pod_needs_linux_and_prefers_a_fast_disk() -> None:
    affinity = pod()["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    ]
    (preferred,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["weight"] == 1
    assert preferred["preference"]["matchExpressions"] == [
        {"key": "disktype", "operator": "In", "values": ["ssd"]}
    ]


def test_pods_of_one_version_are_spread_over_nodes_and_zones() -> None:
    constraints = pod()["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in constraints] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    for constraint in constraints:
        assert constraint["maxSkew"] == 1
        assert constraint["matchLabelKeys"] == ["pod-template-hash"]
        assert constraint["labelSelector"]["matchLabels"]["track"] == "stable"


def test_a_pod_puts_up_with_the_taints_of_edge_nodes_where_told() -> None:
    tolerations = [{"key": "node-role.kubernetes.io/edge", "operator": "Exists"}]
    assert pod(workload={"placement": {"tolerations": tolerations}})["tolerations"] == [
        {"key": "node-role.kubernetes.io/edge", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert "tolerations" not in pod()


def test_a_pod_may_be_placed_anywhere_where_nothing_is_asked_for() -> None:
    anywhere = {"required": {}, "preferred": {}, "spreadOver": []}
    spec = pod(workload={"placement": anywhere})
    assert spec["affinity"] == {"nodeAffinity": {}}
    assert spec["topologySpreadConstraints"] == []
