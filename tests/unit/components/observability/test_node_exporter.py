from components.observability.node_exporter import NodeExporter
from tests.unit.components.observability.servers import container, deploy


def test_it_runs_in_the_node_namespace_and_mounts_the_node_read_only() -> None:
    registry = deploy(NodeExporter, nodeNamespace="nodes")
    assert registry.one("DaemonSet")["metadata"]["namespace"] == "nodes"
    mounts = container(registry, "DaemonSet")["volumeMounts"]
    hosts = [mount for mount in mounts if mount["name"].startswith("host-")]
    assert {mount["mountPath"] for mount in hosts} == {"/host/proc", "/host/sys", "/host/root"}
    assert all(mount["readOnly"] for mount in hosts)


def test_it_does_not_use_host_namespaces() -> None:
    pod = deploy(NodeExporter).one("DaemonSet")["spec"]["template"]["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)


def test_network_collectors_are_disabled_without_the_host_network() -> None:
    args = container(deploy(NodeExporter), "DaemonSet")["args"]
    assert "--collector.disable-defaults" in args
    assert not [arg for arg in args if "net" in arg.removeprefix("--collector.").split(".")[0]]
