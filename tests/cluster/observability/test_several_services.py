"""Three services of one source in a stack: routes, peers, traces, alerts, releases and removal."""

import base64
import re
import secrets
import socket
import subprocess
from collections.abc import Iterator
from itertools import permutations
from typing import Any
from urllib.parse import urlencode

import grpc
import pytest

from tests.cluster.observability.receiver import Receiver
from tests.cluster.observability.servers import Servers
from tests.cluster.project import INGRESS_URL, Project, wait_until
from tests.cluster.traffic import steady_load

pytestmark = pytest.mark.timeout(600)

PEERS = {"frontend": "orders", "orders": "payments"}
"""Destination of each service that calls another one."""
PATHS = {"frontend": "/", "orders": "/orders", "payments": "/payments"}
"""Path of each service, all on one host."""
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
"""HealthCheckResponse with this status."""


def service(project: Project, name: str) -> dict[str, Any]:
    """The service ``name`` as in a stack file, with its HTTP port and its gRPC port routed."""
    peer = PEERS.get(name)
    return {
        "source": "tests/cluster/services/shop",
        "image": {"repository": f"slipway/{project.stack}/{name}"},
        "release": {"stable": {"version": "0.1.0"}},
        "ports": {"http": 8080, "grpc": 9000},
        "probes": {"readiness": {"grpc": {"port": "grpc"}}},
        "autoscaling": {"enabled": False},
        "workload": {"replicas": 1, "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}}},
        "routing": {
            "hosts": [host(project)],
            "paths": [PATHS[name]],
            "additionalPorts": {
                "grpc": {"hosts": [f"{name}.{host(project)}"], "protocol": "grpc"},
            },
        },
        "peers": {"to": [{"service": peer, "ports": ["http"]}] if peer else []},
        "owner": f"team-{name}",
        "alerts": [
            {
                "name": "RequestsFail",
                "expr": 'sum(service:requests:rate5m{$selector,status=~"5.."}) > 0',
                "severity": "page",
                "summary": "Requests fail",
            }
        ],
    }


def host(project: Project) -> str:
    return f"shop.{project.host}"


def called(project: Project, caller: str, url: str, **headers: str) -> tuple[int, str]:
    """Status and body of the response that ``caller`` gets from ``url``. 502: it gets none."""
    path = f"{PATHS[caller].rstrip('/')}/call?{urlencode({'url': url})}"
    response = project.get(path, Host=host(project), **headers)
    return response.status_code, response.text


def internal(name: str) -> str:
    return f"http://{name}-stable:8080/"


@pytest.fixture(scope="module")
def shop(monitored: Project, receiver: Receiver) -> Project:
    before = specs(monitored, "beacon")
    with monitored.config() as config:
        for name in PATHS:
            config["slipway:services"][name] = service(monitored, name)
    for name in PATHS:
        key = f"slipway:observability.alerts.owners.team-{name}.page.webhook"
        url = receiver.url(f"/team-{name}")
        result = monitored.run(
            *("pulumi", "config", "set", "--secret", "--stack", monitored.stack),
            *("--path", key, url),
        )
        assert result.returncode == 0, result.stderr
    monitored.make("up")
    assert specs(monitored, "beacon") == before
    return monitored


def specs(project: Project, *names: str) -> dict[str, object]:
    """Specs of the objects of services."""
    found = project.specs().items()
    return {key: one for key, one in found if key.partition("/")[2].startswith(names)}


def stable_pods(project: Project, *names: str) -> set[str]:
    """Pods of the stable versions of services."""
    selector = f"track=stable,app.kubernetes.io/name in ({','.join(names)})"
    return {*project.kubectl("get", "pods", "--selector", selector, "--output", "name").split()}


def test_a_service_is_routed_by_its_path_and_called_only_by_its_peers(shop: Project) -> None:
    for name, path in PATHS.items():
        assert shop.get(path, Host=host(shop)).text == f"{name}\n"
    answered = {
        (caller, name): called(shop, caller, internal(name))
        for caller, name in permutations(PATHS, 2)
    }
    allowed = {(caller, name): (200, f"{name}\n") for caller, name in PEERS.items()}
    assert {pair: one for pair, one in answered.items() if one[0] == 200} == allowed
    assert {one[0] for one in answered.values()} == {200, 502}


def test_one_trace_has_the_spans_of_all_services(shop: Project, servers: Servers) -> None:
    trace_id = secrets.token_hex(16)
    url = f"{internal('orders')}call?{urlencode({'url': internal('payments')})}"
    parent = f"00-{trace_id}-{secrets.token_hex(8)}-01"
    assert called(shop, "frontend", url, traceparent=parent) == (200, "payments\n")

    def services() -> set[str]:
        processes = (servers.trace(trace_id) or {"processes": {}})["processes"]
        return {one["serviceName"] for one in processes.values()}

    wait_until("the spans of all services", lambda: services() == {*PATHS}, 40)
    printed = shop.make("traces", f"TRACE={trace_id}").stdout
    assert all(f"{name} GET /" in printed for name in PATHS), printed


def test_http_websockets_and_grpc_are_routed_at_once(shop: Project) -> None:
    assert shop.get("/", Host=host(shop)).text == "frontend\n"
    assert echo(host(shop), b"hello") == b"hello"
    address = INGRESS_URL.removeprefix("http://")
    options = [("grpc.default_authority", f"frontend.{host(shop)}")]
    with grpc.insecure_channel(address, options=options) as channel:
        assert channel.unary_unary(HEALTH_CHECK)(b"", timeout=10) == SERVING


def echo(name: str, message: bytes) -> bytes:
    """Payload of the frame that the WebSocket of a host returns for a short ``message``."""
    address, port = INGRESS_URL.removeprefix("http://").split(":")
    with socket.create_connection((address, int(port)), timeout=10) as connection:
        lines = (
            *("GET /echo HTTP/1.1", f"Host: {name}", f"Origin: http://{name}"),
            *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
            f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}",
        )
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        stream = connection.makefile("rb")
        status = stream.readline()
        assert b" 101 " in status, status
        while stream.readline().strip():
            pass
        masked, mask = 0x80, bytes(4)
        connection.sendall(bytes([0x82, masked | len(message)]) + mask + message)
        _, length = stream.read(2)
        return stream.read(length)


def test_an_alert_notifies_only_the_owner_of_its_service(shop: Project, receiver: Receiver) -> None:
    def notified() -> set[str]:
        for path in PATHS.values():
            assert shop.get(f"{path.rstrip('/')}/fail", Host=host(shop)).status_code == 500
        return {one.labels["service"] for one in of_shop() if one.name == "RequestsFail"}

    def of_shop() -> Iterator[Any]:
        return (one for one in receiver.notifications if one.labels.get("service") in PATHS)

    wait_until("an alert of each service", lambda: notified() == {*PATHS}, 90)
    assert {(one.path, one.labels["service"]) for one in of_shop()} == {
        (f"/team-{name}", name) for name in PATHS
    }


def test_a_canary_changes_only_the_objects_of_its_service(shop: Project) -> None:
    for arguments in (
        ("init", "--quiet"),
        ("add", "--all"),
        ("-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-qm", "Deploy"),
    ):
        subprocess.run(["git", *arguments], cwd=shop.folder, check=True)
    before = specs(shop, "beacon", "frontend", "payments")
    # Of the source that the services share.
    with shop.edited("tests/cluster/services/shop/main.go", '"failed"', '"failed again"'):
        shop.make("canary", "SERVICE=orders", "VERSION=0.2.0", "WEIGHT=10")
    assert specs(shop, "beacon", "frontend", "payments") == before
    printed = shop.make("diff").stdout
    changed = set(re.findall(rf"(?m)^[+~>-] \S+ {shop.stack}/(\S+)", printed))
    assert changed >= {"orders-canary", "orders-grpc-weighted"}, printed
    assert all(name.startswith("orders") for name in changed), printed


def test_a_removed_service_leaves_the_others_without_a_failed_request(shop: Project) -> None:
    before = specs(shop, "orders-stable", "payments"), stable_pods(shop, "orders", "payments")
    with shop.config() as config:
        del config["slipway:services"]["frontend"]
    with (
        steady_load(host(shop), path="/orders") as orders,
        steady_load(host(shop), path="/payments") as payments,
    ):
        shop.make("up")
    assert orders.failures == payments.failures == []
    assert sum(orders.versions.values()) > 100 < sum(payments.versions.values())
    after = specs(shop, "orders-stable", "payments"), stable_pods(shop, "orders", "payments")
    assert after == before
    assert specs(shop, "frontend") == {}
    assert shop.get("/", Host=host(shop)).status_code == 404
