"""Connections between pods, to the node and to other hosts: only those that a policy allows."""

import json
import re
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from components.observability.addresses import (
    ALERTMANAGER,
    COLLECTOR,
    JAEGER,
    KUBE_STATE_METRICS,
    LOKI,
    PROMETHEUS,
)
from local.layout import API_SERVICE_IP, NODE_IP
from tests.cluster.network_client import BUSYBOX, Address, NetworkClient
from tests.cluster.observability.receiver import Receiver
from tests.cluster.project import CHECKOUT, Project

pytestmark = pytest.mark.timeout(600)

API = {"API server": (NODE_IP, 6443), "API service": (API_SERVICE_IP, 443)}
KUBELET = {"kubelet": (NODE_IP, 10250)}

Addresses = Mapping[str, Address]
"""Addresses by a name for them."""


def pod_ip(project: Project, namespace: str, label: str) -> str:
    """IP address of the first running pod with a label."""
    options = ("--output=json", f"--selector={label}", "--field-selector=status.phase=Running")
    found = json.loads(project.kubectl("get", "pods", f"--namespace={namespace}", *options))
    ready = [
        item["status"]["podIP"]
        for item in found["items"]
        if all(status["ready"] for status in item["status"]["containerStatuses"])
    ]
    return ready[0]


@pytest.fixture(scope="module")
def addresses(monitored: Project, receiver: Receiver) -> Addresses:
    monitoring = f"{monitored.stack}-monitoring"
    servers = {
        each.server: (
            pod_ip(monitored, monitoring, f"app.kubernetes.io/name={each.server}"),
            each.port,
        )
        for each in (PROMETHEUS, ALERTMANAGER, LOKI, JAEGER, COLLECTOR, KUBE_STATE_METRICS)
    }
    service = pod_ip(monitored, monitored.stack, "app.kubernetes.io/name=beacon")
    metrics_server = pod_ip(monitored, "kube-system", "k8s-app=metrics-server")
    other_host = urlsplit(receiver.url("/"))
    return {
        **API,
        **KUBELET,
        **servers,
        "service": (service, 8080),
        "admin": (service, 9090),
        "metrics-server": (metrics_server, 10250),
        # A program outside the cluster, on the only host that the test can rely on.
        "other host": (str(other_host.hostname), int(other_host.port or 0)),
    }


@pytest.fixture(scope="module")
def stranger(monitored: Project) -> Iterator[str]:
    """A namespace of another user, without NetworkPolicies."""
    namespace = f"{monitored.stack}-other"
    monitored.kubectl("create", "namespace", namespace)
    yield namespace
    monitored.kubectl("delete", "namespace", namespace, "--wait=false")


Role = tuple[Callable[[str], str], Mapping[str, str]]
"""Namespace in a stack, and labels."""

ROLES: Mapping[str, Role] = {
    "other namespaces": (lambda stack: f"{stack}-other", {}),
    "proxy": (lambda _: "ingress", {}),
    "service": (lambda stack: stack, {"app.kubernetes.io/name": "beacon", "track": "stable"}),
    **{
        each.server: (
            lambda stack: f"{stack}-monitoring",
            {"app.kubernetes.io/name": each.server},
        )
        for each in (PROMETHEUS, KUBE_STATE_METRICS, LOKI)
    },
}
"""Kinds of pods by their name in docs/security.md."""
ADDRESSES = {
    "API server": {*API},
    "admin port of the service": {"admin"},
}
"""Addresses that have another name in docs/security.md."""
UNRESTRICTED = {*API, *KUBELET, "metrics-server", "other host"}
"""Destinations outside the stack that a pod reaches if no NetworkPolicy selects it."""


def documented() -> dict[str, set[str]]:
    """Addresses that each kind of pod reaches, as in docs/security.md."""
    rows = re.findall(r"(?m)^\| ([^|]+) \|([^|]*)\|$", (CHECKOUT / "docs/security.md").read_text())
    return {
        role: set().union(
            *(ADDRESSES.get(name, {name}) for name in filter(None, cell.strip().split(", ")))
        )
        for role, cell in rows
        if role in ROLES
    }


@pytest.mark.usefixtures("stranger")
def test_pods_reach_only_what_is_documented(monitored: Project, addresses: Addresses) -> None:
    def reached(role: str) -> set[str]:
        namespace_of, labels = ROLES[role]
        namespace = namespace_of(monitored.stack)
        instance = {"app.kubernetes.io/instance": namespace} if labels else {}
        name = f"{monitored.stack}-{role.replace(' ', '-')}"
        client = NetworkClient.create(monitored, namespace, name, {**labels, **instance})
        try:
            opened = client.open_of(addresses.values())
        finally:
            client.delete()
        # kube-router allows traffic between two pods of one policy if one of its directions does.
        return {name for name, address in addresses.items() if name != role and address in opened}

    with ThreadPoolExecutor() as pool:
        found = dict(zip(ROLES, pool.map(reached, ROLES), strict=True))
    assert found == {
        role: reaches | (set() if ROLES[role][1] else UNRESTRICTED)
        for role, reaches in documented().items()
    }


def test_a_policy_applies_to_the_first_packet_of_a_pod(
    monitored: Project, addresses: Addresses
) -> None:
    host, port = addresses["other host"]
    command = (
        f"for i in 1 2 3 4 5 6 7 8; do {BUSYBOX} nc -w 1 {host} {port} </dev/null >/dev/null 2>&1 "
        f"&& echo open; {BUSYBOX} usleep 100000; done; echo done; {BUSYBOX} sleep 3600"
    )
    client = NetworkClient.create(monitored, monitored.stack, "starting", command=command)
    try:
        client.kubectl("wait", "pod/starting", "--for=condition=PodScheduled")
        printed = ""
        while "done" not in printed:
            printed = client.kubectl("logs", "starting")
        assert printed.split() == ["done"]
    finally:
        client.delete()


@pytest.fixture
def neighbor() -> Iterator[tuple[str, str]]:
    """A network namespace as another machine that routes to this one. Its name, and a route."""
    name = f"neighbor-{secrets.token_hex(2)}"
    outside, inside = f"out-{name[-4:]}", f"in-{name[-4:]}"
    here, there = "198.51.100.1", "198.51.100.2"

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    ip("netns", "add", name)
    try:
        ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
        ip("address", "add", f"{here}/30", "dev", outside)
        ip("link", "set", outside, "up")
        ip("-n", name, "address", "add", f"{there}/30", "dev", inside)
        ip("-n", name, "link", "set", inside, "up")
        ip("-n", name, "route", "add", "default", "via", here)
        yield name, here
    finally:
        ip("netns", "delete", name)


def test_another_machine_reaches_no_pod_no_service_and_not_the_api_server(
    neighbor: tuple[str, str], addresses: Addresses
) -> None:
    namespace, here = neighbor
    with socket.create_server((here, 0)) as listener:
        threading.Thread(target=listener.accept, daemon=True).start()
        control = (here, listener.getsockname()[1])
        tried = [control, *addresses.values()]
        script = (
            "import socket, sys\n"
            "for address in sys.argv[1:]:\n"
            "    host, port = address.split(':')\n"
            "    try:\n"
            "        socket.create_connection((host, int(port)), 1).close()\n"
            "        print(address)\n"
            "    except OSError:\n"
            "        pass\n"
        )
        command = ["ip", "netns", "exec", namespace, sys.executable, "-c", script]
        printed = subprocess.run(
            [*command, *(f"{host}:{port}" for host, port in tried)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert printed.split() == [f"{control[0]}:{control[1]}"]
