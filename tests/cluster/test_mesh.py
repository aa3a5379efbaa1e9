"""Istio: weights of a VirtualService, mutual TLS and callers, progressive releases with the metrics
of the sidecars, and the mesh switched on and off."""

import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from commands.load import Load
from tests.cluster.istio import Istio
from tests.cluster.network_client import BUSYBOX, NetworkClient
from tests.cluster.progressive import add_prometheus
from tests.cluster.project import Project, wait_until

pytestmark = pytest.mark.timeout(1800)

REQUESTS = 1000
TOLERANCE = 30
"""Envoy draws the version of each request: three standard deviations."""
RATE = 20
PROXY_SECONDS = 3
"""The proxies have a changed configuration at most this late."""
SIDECAR = {"sidecar.istio.io/inject": "true"}


@pytest.fixture(scope="module")
def istio(
    cluster_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Istio]:
    namespace = f"test-ingress-{secrets.token_hex(3)}"
    with Istio(cluster_environment, namespace, tmp_path_factory.mktemp("istio")) as installed:
        yield installed


@pytest.fixture(scope="module")
def callers(istio: Istio, project: Project) -> Iterator[Mapping[str, NetworkClient]]:
    """Callers in the mesh and outside of it, in a namespace that is a peer and in another one."""
    created: dict[str, NetworkClient] = {}
    for namespace in ("allowed", "other"):
        name = f"{project.stack}-{namespace}"
        istio.kubectl("create", "namespace", name)
        for kind, labels in (("mesh", SIDECAR), ("plain", {})):
            client = NetworkClient.create(project, name, kind, labels)
            created[f"{namespace} {kind}"] = client
    yield created
    for namespace in ("allowed", "other"):
        istio.kubectl("delete", "namespace", f"{project.stack}-{namespace}", "--wait=false")


@pytest.fixture(scope="module", autouse=True)
def deployed(istio: Istio, project: Project) -> None:
    """The service behind the gateway, in no mesh."""
    with project.config() as config:
        config["slipway:network"] = {"proxyNamespace": istio.namespace}
    with project.service() as service:
        service["routing"] = {
            "hosts": [project.host],
            "backend": "istio",
            "istio": {"gateway": {"name": "public", "namespace": istio.namespace}},
        }
        service["autoscaling"] = {"minReplicas": 2, "maxReplicas": 4}
        service["configFile"] = {"reload": "hot", "path": "/etc/beacon/config.yaml"}
        service["peers"] = {"from": [{"namespace": f"{project.stack}-allowed"}]}
        service["release"] = {
            "strategy": "canary",
            "stable": {"version": "1.0.0"},
        }
        for key in ("alerts", "panels", "secrets"):
            service.pop(key, None)
        del service["config"]["faults"]["tokenFile"]
    (project.folder / "app" / "VERSION").write_text("1.0.0\n")
    project.make("up")


def load(istio: Istio, project: Project) -> Load:
    return Load(f"{istio.url}/", RATE, {"Host": project.host})


@contextmanager
def no_request_fails(istio: Istio, project: Project) -> Iterator[None]:
    with load(istio, project) as sent:
        yield
        time.sleep(PROXY_SECONDS)
    assert sent.failures == []
    print(f"0 failures of {sum(sent.versions.values())} requests")
    assert sum(sent.versions.values()) > RATE


@contextmanager
def mesh(project: Project) -> Iterator[Any]:
    with project.config() as config:
        yield config.setdefault("slipway:mesh", {})


def sidecars(project: Project) -> set[bool]:
    """Whether the pods of the service that are not being deleted have a sidecar."""
    selector = "--selector=app.kubernetes.io/name in (beacon,beacon-primary)"
    pods = json.loads(project.kubectl("get", "pods", selector, "--output=json"))["items"]
    found = (one["metadata"] for one in pods if "deletionTimestamp" not in one["metadata"])
    return {"sidecar.istio.io/status" in one.get("annotations", {}) for one in found}


def test_a_virtual_service_gives_the_canary_its_weight(istio: Istio, project: Project) -> None:
    project.make("canary", "VERSION=1.1.0", "WEIGHT=10")
    time.sleep(PROXY_SECONDS)
    seen: Counter[str] = Counter()
    with httpx.Client(base_url=istio.url, headers={"Host": project.host}, timeout=10) as client:
        for _ in range(REQUESTS):
            response = client.get("/")
            seen[response.headers.get("X-Version", str(response.status_code))] += 1
        always = client.get("/", headers={"X-Canary": "always"})
        never = client.get("/", headers={"X-Canary": "never"})
    print(dict(seen))
    assert seen["1.0.0"] + seen["1.1.0"] == REQUESTS
    assert abs(seen["1.1.0"] - REQUESTS / 10) <= TOLERANCE
    assert (always.headers["X-Version"], never.headers["X-Version"]) == ("1.1.0", "1.0.0")
    assert istio.analyze(project.stack) == []
    with no_request_fails(istio, project):
        project.make("rollback")


def test_the_mesh_is_switched_on_without_a_failed_request(istio: Istio, project: Project) -> None:
    assert sidecars(project) == {False}
    with mesh(project) as section:
        section["istio"] = {}
    with no_request_fails(istio, project):
        project.make("up")
    wait_until("sidecars only", lambda: sidecars(project) == {True}, 60)
    project.assert_pod_security(project.stack)
    project.assert_no_drift()


def test_only_callers_in_the_mesh_that_are_peers_are_accepted(
    istio: Istio, project: Project, callers: Mapping[str, NetworkClient]
) -> None:
    # So that it is Istio that refuses, and not the NetworkPolicies.
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "test-all", "namespace": project.stack},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
    }
    istio.apply(policy)
    # The static busybox cannot look names up.
    address = project.kubectl(
        "get", "service", "beacon-stable", "--output=jsonpath={.spec.clusterIP}"
    )
    request = (
        f"GET /version HTTP/1.1\\r\\nHost: beacon-stable.{project.stack}:8080\\r\\n"
        "Connection: close\\r\\n\\r\\n"
    )

    def answer(caller: str) -> str:
        # The proxies drop a request whose sender has closed its side.
        sent = f"(printf '{request}'; {BUSYBOX} sleep 3)"
        script = f"{sent} | {BUSYBOX} nc -w 5 {address} 8080 2>&1 || true"
        return callers[caller].kubectl(
            *("exec", callers[caller].name, "--container=client", "--", BUSYBOX, "sh", "-c"),
            script,
        )

    wait_until("an accepted caller", lambda: "1.0.0" in answer("allowed mesh"), 30)
    answers = {caller: answer(caller) for caller in callers}
    print(answers)
    project.kubectl("delete", "networkpolicy", "test-all")
    assert "1.0.0" in answers["allowed mesh"]
    assert "403 Forbidden" in answers["other mesh"]
    for caller in ("allowed plain", "other plain"):
        assert "1.0.0" not in answers[caller]
        assert "403" not in answers[caller]


def test_a_version_is_replaced_and_the_mesh_switched_off_without_a_failed_request(
    istio: Istio, project: Project
) -> None:
    (project.folder / "app" / "VERSION").write_text("1.3.0\n")
    with project.service() as service:
        service["release"]["stable"] = {"version": "1.3.0"}
    with no_request_fails(istio, project):
        project.make("up")
    with mesh(project) as section:
        section["istio"] = None
    with no_request_fails(istio, project):
        project.make("up")
    assert sidecars(project) == {False}
    policies = project.run(
        *("kubectl", "--namespace", project.stack, "get"),
        "authorizationpolicies,peerauthentications",
    )
    assert "No resources found" in policies.stderr


BAD = "1.5.0"
"""Version of which a fifth of the requests fail."""


def set_version(project: Project, version: str) -> None:
    (project.folder / "app" / "VERSION").write_text(f"{version}\n")
    with project.service() as service:
        service["release"]["stable"] = {"version": version}


def test_a_service_becomes_progressive_without_a_failed_request(
    istio: Istio, project: Project
) -> None:
    with project.config() as config:
        add_prometheus(config, project.stack)
        config["slipway:network"]["proxyNamespace"] = istio.namespace
    with project.service() as service:
        service["slo"] = {"availability": 99.9}
        service["release"] |= {
            "strategy": "progressive",
            "progressive": {"steps": [20, 50], "intervalSeconds": 10, "threshold": 20},
        }
    with no_request_fails(istio, project):
        project.make("up")
    assert istio.analyze(project.stack) == []


def test_the_mesh_is_switched_on_by_a_release_of_the_same_version(
    istio: Istio, project: Project
) -> None:
    with project.config() as config:
        config["slipway:mesh"] = {"istio": {}}
        config["slipway:observability"]["proxy"] = {"implementation": "istio-sidecar"}
    with project.service() as service:
        service["slo"]["source"] = "proxy"
    with no_request_fails(istio, project):
        project.make("up")
    wait_until("sidecars only", lambda: sidecars(project) == {True}, 60)
    with project.restored_config():
        with project.config() as config:
            config["slipway:mesh"]["istio"] = None
            config["slipway:observability"]["proxy"] = {"implementation": "istio"}
        refused = project.make_fails("up")
    assert "the promoted pods of beacon have sidecars" in refused.stdout + refused.stderr


def test_a_good_version_is_promoted_by_the_metrics_of_the_sidecars(
    istio: Istio, project: Project
) -> None:
    set_version(project, "1.4.0")
    with no_request_fails(istio, project):
        output = project.make("up").stdout
    assert "beacon 1.4.0 is promoted" in output
    query = "sum by (track, version, status) (service:requests:rate5m)"
    table = project.make("metrics", f"QUERY={query}").stdout
    print(table)
    assert "1.4.0" in table


def test_a_version_with_errors_is_rolled_back_by_the_metrics_of_the_sidecars(
    istio: Istio, project: Project
) -> None:
    set_version(project, BAD)
    with project.service() as service:
        service["config"]["faults"]["errorRate"] = 0.2
        service["release"]["progressive"]["threshold"] = 3
    with load(istio, project) as sent:
        result = project.make_fails("up")
        time.sleep(PROXY_SECONDS)
    output = result.stdout + result.stderr
    assert f"beacon {BAD} was rolled back" in output
    assert "availability" in output
    bad = [one.sent for one in sent.results if one.version == BAD]
    print(f"{len(bad)} of {len(sent.results)} requests in {max(bad) - min(bad):.0f} s")
    assert len(bad) < len(sent.results) / 2
    assert {one.version for one in sent.results if one.sent > max(bad)} == {"1.4.0"}
    assert {one.version for one in sent.failures} <= {BAD}


def test_the_mesh_is_switched_off_with_the_strategy_without_a_failed_request(
    istio: Istio, project: Project
) -> None:
    set_version(project, "1.6.0")
    with project.config() as config:
        config["slipway:mesh"]["istio"] = None
        del config["slipway:observability"]["proxy"]
        (service,) = config["slipway:services"].values()
        service["config"]["faults"].pop("errorRate", None)
        del service["slo"]["source"]
        service["release"]["strategy"] = "rolling"
    with no_request_fails(istio, project):
        project.make("up")
    assert sidecars(project) == {False}
    project.assert_no_drift()
