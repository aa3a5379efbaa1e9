"""What of the node is seen."""

from components.observability.node_exporter import NodeExporter
from tests.unit.components.observability.made import container, made


def test_it_runs_in_the_node_namespace_and_can_write_nothing_of_the_node() -> None:
    registry = made(NodeExporter, nodeNamespace="nodes")
    assert registry.one("DaemonSet")["metadata"]["namespace"] == "nodes"
    mounts = container(registry, "DaemonSet")["volumeMounts"]
    hosts = [mount for mount in mounts if mount["name"].startswith("host-")]
    assert {mount["mountPath"] for mount in hosts} == {"/host/proc", "/host/sys", "/host/root"}
    assert all(mount["readOnly"] for mount in hosts)


def test_it_shares_neither_network_nor_processes_with_the_node() -> None:
    pod = made(NodeExporter).one("DaemonSet")["spec"]["template"]["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)


def test_it_does_not_pass_its_own_network_off_as_the_nodes() -> None:
    args = container(made(NodeExporter), "DaemonSet")["args"]
    assert "--collector.disable-defaults" in args
    assert not [arg for arg in args if "net" in arg.removeprefix("--collector.").split(".")[0]]
