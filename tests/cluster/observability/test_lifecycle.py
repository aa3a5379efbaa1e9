"""The servers of a stack: no changes, no drift, Pod Security, memory, secrets."""

import pytest

from tests.cluster.observability.receiver import Receiver
from tests.cluster.observability.servers import Servers
from tests.cluster.project import Project

pytestmark = pytest.mark.timeout(600)

GIBIBYTE = 2**30


def test_a_second_up_changes_nothing(monitored: Project) -> None:
    monitored.assert_unchanged()


def test_a_refresh_finds_no_drift(monitored: Project) -> None:
    monitored.assert_no_drift()


def test_the_servers_comply_with_the_pod_security_standard(
    monitored: Project, servers: Servers
) -> None:
    monitored.assert_pod_security(servers.namespace)


def test_idle_servers_use_less_than_1_5_gib(monitored: Project, servers: Servers) -> None:
    namespaces = f"{servers.namespace}|{monitored.stack}-node"
    (used,) = servers.query(
        f'sum(container_memory_working_set_bytes{{namespace=~"{namespaces}",container!=""}})'
    )
    print(f"{used.value / GIBIBYTE:.2f} GiB")
    assert used.value <= 1.5 * GIBIBYTE


def test_webhook_urls_are_not_in_config_maps_or_logs(
    monitored: Project, servers: Servers, receiver: Receiver
) -> None:
    def kubectl(*arguments: str) -> str:
        result = monitored.run("kubectl", *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    secret = receiver.url("/")
    assert secret not in kubectl("get", "configmap", "--all-namespaces", "--output", "json")
    for namespace in (servers.namespace, f"{monitored.stack}-node"):
        for name in kubectl("get", "pods", "--namespace", namespace, "--output", "name").split():
            logs = kubectl("logs", "--namespace", namespace, "--all-containers", name)
            assert secret not in logs, f"{name} logs a webhook URL"
