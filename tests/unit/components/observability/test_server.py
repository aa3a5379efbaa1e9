"""What Kubernetes needs for a server, whichever it is."""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from components.network_peer import NetworkPeer
from components.observability.addresses import LOKI
from components.observability.server import (
    SECRETS,
    Description,
    HostFolder,
    Http,
    Server,
    ServerArgs,
    Tcp,
)
from settings import ResourceList, ResourceRequirements, Storage
from tests.unit.harness import Registry, run

ARGS: ServerArgs = {"monitoring_namespace": "monitoring", "node_namespace": "monitoring-node"}
SMALLEST = Description(
    kind="StatefulSet",
    namespace="monitoring",
    image="example.com/one:v1.2.3",
    user=65534,
    resources=ResourceRequirements(
        requests=ResourceList(cpu="10m", memory="32Mi"),
        limits=ResourceList(cpu="100m", memory="100Mi"),
    ),
    ports={"http": 9000},
    ready=Http("/ready", 9000),
    alive=Tcp(9000),
)


def made(**changes: Any) -> Registry:
    """A server called ``one`` like the smallest, but for ``changes``."""

    class One(Server[ServerArgs]):
        def describe(self, args: ServerArgs) -> Description:
            return replace(SMALLEST, **changes)

    return run(lambda: One("one", ARGS))


def pod(registry: Registry, kind: str = "StatefulSet") -> dict[str, Any]:
    return registry.one(kind)["spec"]["template"]["spec"]


def container(registry: Registry, kind: str = "StatefulSet") -> dict[str, Any]:
    (only,) = pod(registry, kind)["containers"]
    return only


def test_a_server_without_a_description_cannot_be_made() -> None:
    with pytest.raises(NotImplementedError):
        Server.describe(Server.__new__(Server), ARGS)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_its_pod_is_hardened(kind: str) -> None:
    registry = made(kind=kind)
    security = pod(registry, kind)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == security["fsGroup"] == 65534
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(registry, kind)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_one_that_asks_the_api_server_nothing_has_no_token_and_no_rights() -> None:
    registry = made()
    assert pod(registry)["automountServiceAccountToken"] is False
    assert registry.of_kind("ClusterRole") == registry.of_kind("ClusterRoleBinding") == []


def test_what_it_may_ask_is_all_that_it_may_and_is_named_after_the_stacks_namespace() -> None:
    rule = {"api_groups": [""], "resources": ["pods"], "verbs": ["list"]}
    registry = made(may=[rule], namespace="elsewhere")
    assert pod(registry)["automountServiceAccountToken"] is True
    role = registry.one("ClusterRole", "monitoring-one")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    binding = registry.one("ClusterRoleBinding", "monitoring-one")
    assert binding["roleRef"]["name"] == "monitoring-one"
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "one", "namespace": "elsewhere"}
    ]


def test_only_named_peers_connect_and_are_connected_to() -> None:
    policy = made(
        reached_by=[LOKI.peer("monitoring", 9000)],
        reaches=[NetworkPeer("other", (80,)), NetworkPeer(None, (443,))],
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


def test_one_that_reaches_nobody_cannot_even_ask_for_names() -> None:
    policy = made().one("NetworkPolicy")["spec"]
    assert policy["ingress"] == policy["egress"] == []


def test_the_api_server_is_reached_by_those_that_may_ask_it_something() -> None:
    rule = {"api_groups": [""], "resources": ["pods"], "verbs": ["list"]}
    _, api = made(may=[rule]).one("NetworkPolicy")["spec"]["egress"]
    assert [port["port"] for port in api["ports"]] == [443, 6443]


def checksum(registry: Registry) -> str | None:
    annotations = registry.one("StatefulSet")["spec"]["template"]["metadata"].get("annotations")
    return annotations and annotations["checksum/config"]


def test_a_changed_file_restarts_it() -> None:
    first, same, other = (checksum(made(files={"a.yaml": text})) for text in ("1", "1", "2"))
    assert first == same != other


def test_a_changed_file_that_it_reads_again_does_not() -> None:
    def with_text(text: str) -> str | None:
        return checksum(made(files={"a": "", "b": text}, reread=frozenset({"b"})))

    assert with_text("1") == with_text("2") is not None
    assert checksum(made(files={"a": "1"}, reread=frozenset({"a"}))) is None


def test_files_keep_their_path_below_the_folder() -> None:
    registry = made(files={"rules/a.yaml": "x"}, folder=PurePosixPath("/etc/one"))
    assert registry.one("ConfigMap")["data"] == {"rules.a.yaml": "x"}
    (volume,) = (one for one in pod(registry)["volumes"] if one["name"] == "config")
    assert volume["configMap"] == {
        "name": "one",
        "items": [{"key": "rules.a.yaml", "path": "rules/a.yaml"}],
    }
    assert {"name": "config", "mountPath": "/etc/one", "readOnly": True} in container(registry)[
        "volumeMounts"
    ]


def test_secrets_are_files_from_a_secret_and_nowhere_else() -> None:
    registry = made(secrets={"password": "hidden"}, files={"a": "b"})
    assert registry.secret() == {"password": "hidden"}
    others = [one for one in registry.resources.values() if not one.is_of("Secret")]
    assert "hidden" not in str(others)
    assert {"name": "secrets", "mountPath": str(SECRETS), "readOnly": True} in container(registry)[
        "volumeMounts"
    ]


def test_its_volume_is_a_claim_of_its_own_that_can_grow() -> None:
    registry = made(
        store=Storage(volume_size="3Gi", storage_class_name="fast"), data=PurePosixPath("/here")
    )
    claim = registry.one("PersistentVolumeClaim", "one")
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "3Gi"}},
        "storageClassName": "fast",
    }
    assert {"name": "data", "mountPath": "/here"} in container(registry)["volumeMounts"]


def test_without_a_storage_class_the_clusters_default_is_taken() -> None:
    claim = made(store=Storage(volume_size="3Gi")).one("PersistentVolumeClaim")
    assert "storageClassName" not in claim["spec"]


def test_the_nodes_folders_are_read_only_unless_it_writes_there() -> None:
    folders = [
        HostFolder("/", "/host", follows_mounts=True),
        HostFolder("/var/lib/a", "/a", writable=True),
    ]
    registry = made(kind="DaemonSet", host_folders=folders)
    mounts = {one["name"]: one for one in container(registry, "DaemonSet")["volumeMounts"]}
    assert mounts["host-0"]["readOnly"] is True
    assert mounts["host-0"]["mountPropagation"] == "HostToContainer"
    assert mounts["host-1"]["readOnly"] is False
    volumes = {one["name"]: one for one in pod(registry, "DaemonSet")["volumes"]}
    assert volumes["host-1"]["hostPath"] == {"path": "/var/lib/a", "type": "DirectoryOrCreate"}


def test_a_statefulset_replaces_a_pod_that_never_got_ready() -> None:
    spec = made().one("StatefulSet")["spec"]
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["replicas"] == 1


def test_a_daemonset_runs_on_every_node_and_has_no_service() -> None:
    registry = made(kind="DaemonSet")
    assert pod(registry, "DaemonSet")["tolerations"] == [{"operator": "Exists"}]
    assert registry.of_kind("Service") == []


def test_no_selector_holds_a_version() -> None:
    registry = made()
    spec = registry.one("StatefulSet")["spec"]
    assert "app.kubernetes.io/version" not in spec["selector"]["matchLabels"]
    assert spec["template"]["metadata"]["labels"]["app.kubernetes.io/version"] == "1.2.3"
    assert "app.kubernetes.io/version" not in registry.one("Service")["spec"]["selector"]


def test_gos_memory_follows_the_limit() -> None:
    env = {one["name"]: one for one in container(made())["env"]}
    assert env["GOMEMLIMIT"]["value"] == f"{100 * 2**20 * 90 // 100}B"


def test_the_workload_comes_after_all_that_it_needs() -> None:
    registry = made(
        files={"a": "b"},
        secrets={"c": "d"},
        store=Storage(volume_size="1Gi"),
        may=[{"api_groups": [""], "resources": ["pods"], "verbs": ["list"]}],
    )
    needed = registry.dependencies_of(registry.urn_of("StatefulSet", "one"))
    for kind in ("ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount", "NetworkPolicy"):
        assert registry.urn_of(kind, "one") in needed
    assert registry.urn_of("ClusterRoleBinding", "monitoring-one") in needed


def test_a_server_is_restarted_only_where_it_does_not_even_listen() -> None:
    probes = container(made())
    assert probes["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert probes["livenessProbe"]["tcpSocket"] == {"port": 9000}
    patient = probes["livenessProbe"]["failureThreshold"] * probes["livenessProbe"]["periodSeconds"]
    assert patient >= 60


def test_a_server_is_waited_for_longer_than_it_may_take_to_start() -> None:
    registry = made()
    probe = container(registry)["startupProbe"]
    server = registry.resources[registry.urn_of("StatefulSet", "one")]
    for wait in server.custom_timeouts:
        assert int(wait.removesuffix("s")) > probe["periodSeconds"] * probe["failureThreshold"]
