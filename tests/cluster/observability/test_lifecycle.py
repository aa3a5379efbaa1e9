"""The servers come after the service, stay as they are, and go without a trace."""

import pytest

from tests.cluster.observability.receiver import Receiver
from tests.cluster.observability.servers import Servers
from tests.cluster.project import Project, changes

pytestmark = pytest.mark.timeout(600)

GIBIBYTE = 2**30


def test_a_second_up_changes_nothing(monitored: Project) -> None:
    assert set(changes(monitored.make("up").stdout)) == {"unchanged"}


def test_a_refresh_finds_no_drift(monitored: Project) -> None:
    result = monitored.run(
        *("pulumi", "refresh", "--yes", "--skip-preview", "--non-interactive"),
        *("--stack", monitored.stack, "--expect-no-changes"),
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_servers_raise_no_pod_security_warning(monitored: Project, servers: Servers) -> None:
    result = monitored.run(
        *("kubectl", "label", "namespace", servers.namespace, "--dry-run=server", "--overwrite"),
        "pod-security.kubernetes.io/enforce-version=latest",
    )
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr, result.stderr


def test_the_servers_take_little_memory_in_the_quiet(monitored: Project, servers: Servers) -> None:
    namespaces = f"{servers.namespace}|{monitored.stack}-node"
    (used,) = servers.query(
        f'sum(container_memory_working_set_bytes{{namespace=~"{namespaces}",container!=""}})'
    )
    print(f"{used.value / GIBIBYTE:.2f} GiB")
    assert used.value <= 1.5 * GIBIBYTE


def test_no_secret_is_in_a_config_map_or_a_log(
    monitored: Project, servers: Servers, receiver: Receiver
) -> None:
    def shown(*arguments: str) -> str:
        result = monitored.run("kubectl", *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    secret = receiver.url("/")
    assert secret not in shown("get", "configmap", "--all-namespaces", "--output", "json")
    for namespace in (servers.namespace, f"{monitored.stack}-node"):
        for name in shown("get", "pods", "--namespace", namespace, "--output", "name").split():
            logs = shown("logs", "--namespace", namespace, "--all-containers", name)
            assert secret not in logs, f"{name} logs a receiver's URL"
