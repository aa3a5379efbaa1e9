from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from components.network_peer import NetworkPeer
from components.observability.addresses import LOKI
from components.observability.args import ObservabilityArgs
from components.observability.server import (
    SECRETS,
    HostPath,
    HttpProbe,
    Server,
    ServerSpec,
    TcpProbe,
)
from settings import Network, ResourceList, ResourceRequirements, Storage
from tests.unit.components.observability.servers import args_of
from tests.unit.harness import Registry, run
from tests.unit.stacks import settings

SMALLEST = ServerSpec(
    kind="StatefulSet",
    namespace="monitoring",
    image="example.com/one:v1.2.3",
    user=65534,
    resources=ResourceRequirements(
        requests=ResourceList(cpu="10m", memory="32Mi"),
        limits=ResourceList(cpu="100m", memory="100Mi"),
    ),
    ports={"http": 9000},
    readiness=HttpProbe("/ready", 9000),
    liveness=TcpProbe(9000),
)


def deploy(**changes: Any) -> Registry:
    """Deploy the smallest server with changes, named ``one``."""

    class One(Server):
        def spec(self, args: ObservabilityArgs) -> ServerSpec:
            return replace(SMALLEST, **changes)

    return run(lambda: One("one", args_of(settings())))


def pod(registry: Registry, kind: str = "StatefulSet") -> dict[str, Any]:
    return registry.one(kind)["spec"]["template"]["spec"]


def container(registry: Registry, kind: str = "StatefulSet") -> dict[str, Any]:
    (only,) = pod(registry, kind)["containers"]
    return only


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_pods_meet_the_restricted_pod_security_standard(kind: str) -> None:
    registry = deploy(kind=kind)
    security = pod(registry, kind)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == security["fsGroup"] == 65534
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(registry, kind)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_without_rbac_rules_there_is_no_token_and_no_role() -> None:
    registry = deploy()
    assert pod(registry)["automountServiceAccountToken"] is False
    assert registry.of_kind("ClusterRole") == registry.of_kind("ClusterRoleBinding") == []


def test_rbac_rules_become_a_cluster_role_named_after_the_monitoring_namespace() -> None:
    rule = {"api_groups": [""], "resources": ["pods"], "verbs": ["list"]}
    registry = deploy(rbac_rules=[rule], namespace="elsewhere")
    assert pod(registry)["automountServiceAccountToken"] is True
    role = registry.one("ClusterRole", "monitoring-one")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    binding = registry.one("ClusterRoleBinding", "monitoring-one")
    assert binding["roleRef"]["name"] == "monitoring-one"
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "one", "namespace": "elsewhere"}
    ]


def test_the_network_policy_allows_only_the_peers() -> None:
    policy = deploy(
        ingress=[LOKI.peer("monitoring", 9000)],
        egress=[NetworkPeer("other", (80,)), NetworkPeer(None, (443,))],
    ).one("NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "one"
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [
        {
            "from": [
                {
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": "monitoring"}
                    },
                    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "loki"}},
                }
            ],
            "ports": [{"port": 9000, "protocol": "TCP"}],
        }
    ]
    names, other, anywhere = policy["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    (peer,) = other["to"]
    assert peer == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}
    assert anywhere == {"ports": [{"port": 443, "protocol": "TCP"}]}


def test_without_egress_dns_is_not_allowed_either() -> None:
    policy = deploy().one("NetworkPolicy")["spec"]
    assert policy["ingress"] == policy["egress"] == []


def test_rbac_rules_allow_egress_to_the_api_server() -> None:
    rule = {"api_groups": [""], "resources": ["pods"], "verbs": ["list"]}
    _, api = deploy(rbac_rules=[rule]).one("NetworkPolicy")["spec"]["egress"]
    assert [port["port"] for port in api["ports"]] == [443, 6443]
    assert [each["ipBlock"]["cidr"] for each in api["to"]] == list(Network().node_cidrs)


def checksum(registry: Registry) -> str | None:
    annotations = registry.one("StatefulSet")["spec"]["template"]["metadata"].get("annotations")
    return annotations and annotations["checksum/config"]


def test_a_changed_file_restarts_the_server() -> None:
    first, same, other = (
        checksum(deploy(config_files={"a.yaml": text})) for text in ("1", "1", "2")
    )
    assert first == same != other


def test_a_changed_hot_reloaded_file_does_not_restart_the_server() -> None:
    def with_text(text: str) -> str | None:
        return checksum(deploy(config_files={"a": "", "b": text}, hot_reloaded=frozenset({"b"})))

    assert with_text("1") == with_text("2") is not None
    assert checksum(deploy(config_files={"a": "1"}, hot_reloaded=frozenset({"a"}))) is None


def test_config_files_keep_their_path_below_the_mount() -> None:
    registry = deploy(config_files={"rules/a.yaml": "x"}, config_dir=PurePosixPath("/etc/one"))
    assert registry.one("ConfigMap")["data"] == {"rules.a.yaml": "x"}
    (volume,) = (one for one in pod(registry)["volumes"] if one["name"] == "config")
    assert volume["configMap"] == {
        "name": "one",
        "items": [{"key": "rules.a.yaml", "path": "rules/a.yaml"}],
    }
    assert {"name": "config", "mountPath": "/etc/one", "readOnly": True} in container(registry)[
        "volumeMounts"
    ]


def test_a_further_file_does_not_change_the_pod() -> None:
    files = {"one.yaml": "", "rules-a.yaml": ""}
    more = {**files, "rules-b.yaml": ""}
    one, other = (
        pod(deploy(config_files=each, hot_reloaded=frozenset(each))) for each in (files, more)
    )
    assert one == other


def test_files_that_exceed_a_config_map_are_in_several() -> None:
    files = {f"rules-{number}.yaml": "x" * 400_000 for number in range(5)}
    registry = deploy(config_files=files)
    maps = {one.inputs["metadata"]["name"]: one.inputs for one in registry.of_kind("ConfigMap")}
    assert {name: set(one["data"]) for name, one in maps.items()} == {
        "one": {"rules-0.yaml", "rules-1.yaml"},
        "one-2": {"rules-2.yaml", "rules-3.yaml"},
        "one-3": {"rules-4.yaml"},
    }
    (volume,) = (one for one in pod(registry)["volumes"] if one["name"] == "config")
    mounted = [source["configMap"]["name"] for source in volume["projected"]["sources"]]
    assert mounted == ["one", "one-2", "one-3"]


def test_the_configuration_is_changed_after_the_volume_has_been_expanded() -> None:
    storage = Storage(volume_size="2Gi")
    registry = deploy(config_files={"one.yaml": ""}, storage=storage)
    needed = registry.dependencies_of(registry.urn_of("ConfigMap", "one"))
    assert registry.urn_of("PersistentVolumeClaim", "one") in needed


def test_secrets_are_mounted_as_files_and_are_only_in_the_secret() -> None:
    registry = deploy(secrets={"password": "hidden"}, config_files={"a": "b"})
    assert registry.secret() == {"password": "hidden"}
    others = [one for one in registry.resources.values() if not one.is_of("Secret")]
    assert "hidden" not in str(others)
    assert {"name": "secrets", "mountPath": str(SECRETS), "readOnly": True} in container(registry)[
        "volumeMounts"
    ]


def test_storage_is_a_persistent_volume_claim_outside_the_stateful_set() -> None:
    registry = deploy(
        storage=Storage(volume_size="3Gi", storage_class_name="fast"),
        data_dir=PurePosixPath("/here"),
    )
    claim = registry.one("PersistentVolumeClaim", "one")
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "3Gi"}},
        "storageClassName": "fast",
    }
    assert {"name": "data", "mountPath": "/here"} in container(registry)["volumeMounts"]


def test_a_changed_storage_class_keeps_the_claim_and_its_data() -> None:
    registry = deploy(storage=Storage(volume_size="3Gi", storage_class_name="fast"))
    claim = registry.resources[registry.urn_of("PersistentVolumeClaim", "one")]
    assert claim.ignore_changes == ("spec.storageClassName",)


def test_without_a_storage_class_the_claim_uses_the_default_class() -> None:
    claim = deploy(storage=Storage(volume_size="3Gi")).one("PersistentVolumeClaim")
    assert "storageClassName" not in claim["spec"]


def test_host_paths_are_read_only_unless_writable() -> None:
    folders = [
        HostPath("/", "/host", mount_propagation="HostToContainer"),
        HostPath("/var/lib/a", "/a", writable=True),
    ]
    registry = deploy(kind="DaemonSet", host_paths=folders)
    mounts = {one["name"]: one for one in container(registry, "DaemonSet")["volumeMounts"]}
    assert mounts["host-0"]["readOnly"] is True
    assert mounts["host-0"]["mountPropagation"] == "HostToContainer"
    assert mounts["host-1"]["readOnly"] is False
    volumes = {one["name"]: one for one in pod(registry, "DaemonSet")["volumes"]}
    assert volumes["host-1"]["hostPath"] == {"path": "/var/lib/a", "type": "DirectoryOrCreate"}


def test_a_stateful_set_replaces_a_pod_that_never_became_ready() -> None:
    spec = deploy().one("StatefulSet")["spec"]
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["replicas"] == 1


def test_a_daemon_set_tolerates_every_taint_and_has_no_service() -> None:
    registry = deploy(kind="DaemonSet")
    assert pod(registry, "DaemonSet")["tolerations"] == [{"operator": "Exists"}]
    assert registry.of_kind("Service") == []


def test_selectors_contain_no_version() -> None:
    registry = deploy()
    spec = registry.one("StatefulSet")["spec"]
    assert "app.kubernetes.io/version" not in spec["selector"]["matchLabels"]
    assert spec["template"]["metadata"]["labels"]["app.kubernetes.io/version"] == "1.2.3"
    assert "app.kubernetes.io/version" not in registry.one("Service")["spec"]["selector"]


def test_the_go_memory_limit_is_90_percent_of_the_containers() -> None:
    env = {one["name"]: one for one in container(deploy())["env"]}
    assert env["GOMEMLIMIT"]["value"] == f"{100 * 2**20 * 90 // 100}B"


def test_the_workload_depends_on_its_other_objects() -> None:
    registry = deploy(
        config_files={"a": "b"},
        secrets={"c": "d"},
        storage=Storage(volume_size="1Gi"),
        rbac_rules=[{"api_groups": [""], "resources": ["pods"], "verbs": ["list"]}],
    )
    needed = registry.dependencies_of(registry.urn_of("StatefulSet", "one"))
    for kind in ("ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount", "NetworkPolicy"):
        assert registry.urn_of(kind, "one") in needed
    assert registry.urn_of("ClusterRoleBinding", "monitoring-one") in needed


def test_liveness_is_more_tolerant_than_readiness() -> None:
    probes = container(deploy())
    assert probes["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert probes["livenessProbe"]["tcpSocket"] == {"port": 9000}
    seconds = probes["livenessProbe"]["failureThreshold"] * probes["livenessProbe"]["periodSeconds"]
    assert seconds >= 60


def test_the_timeout_is_longer_than_the_startup_probe() -> None:
    registry = deploy()
    probe = container(registry)["startupProbe"]
    server = registry.resources[registry.urn_of("StatefulSet", "one")]
    for wait in server.custom_timeouts:
        assert int(wait.removesuffix("s")) > probe["periodSeconds"] * probe["failureThreshold"]
