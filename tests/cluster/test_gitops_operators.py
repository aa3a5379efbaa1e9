"""cert-manager and External Secrets under Argo CD: what is synced stays so, and is healthy."""

import base64
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from local.detection import detect
from local.layout import Layout
from local.node import Node
from local.progress import Display
from local.server_images import CERT_MANAGER, EXTERNAL_SECRETS
from tests.cluster.delivery import SETTLE_SECONDS, Delivery, delivered
from tests.cluster.project import Project, changes, wait_until
from tests.cluster.tls_client import PROXY, get, renew, serial

pytestmark = pytest.mark.timeout(900 + SETTLE_SECONDS)

STORE = "team"
REFRESH_SECONDS = 10
FIRST, SECOND = secrets.token_hex(12), secrets.token_hex(12)
"""Values of a secret."""


def reader(project: Project) -> dict[str, Any]:
    """A service with a certificate, whose response is its secret."""
    external = {"store": STORE, "key": "reader", "property": "password"}
    return {
        "source": "tests/cluster/services/reader",
        "image": {"repository": f"slipway/{project.stack}/reader"},
        "release": {"stable": {"version": "0.1.0"}},
        "metrics": None,
        "routing": {
            "hosts": [project.host],
            "externalTlsPort": PROXY.port,
            "tls": {"mode": "selfSigned", "redirect": False},
        },
        "workload": {"replicas": 1},
        "autoscaling": {"enabled": False},
        "secrets": {"password": {"external": {**external, "refreshSeconds": REFRESH_SECONDS}}},
    }


def hidden(project: Project) -> dict[str, Any]:
    """A service whose Ingress never has an address."""
    return {
        "source": "tests/cluster/services/hello",
        "image": {"repository": f"slipway/{project.stack}/hidden"},
        "release": {"strategy": "canary", "stable": {"version": "0.1.0"}},
        "metrics": None,
        "ports": {"http": 9000},
        "routing": {
            "hosts": [f"hidden-{project.host}"],
            "ingress": {"className": "none", "awaitAddress": False},
        },
        "workload": {"replicas": 1},
        "autoscaling": {"enabled": False},
    }


class Store:
    """A namespace whose Secret `reader` the store of the stack may read."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.namespace = f"{project.stack}-store"

    def create(self) -> None:
        """Create the namespace with the first value."""
        account = f"{self._project.stack}:secret-store-{STORE}"
        self._project.kubectl("create", "namespace", self.namespace)
        self._kubectl("create", "secret", "generic", "reader", f"--from-literal=password={FIRST}")
        rule = ("--verb=get", "--resource=secrets", "--resource-name=reader")
        self._kubectl("create", "role", "read", *rule)
        self._kubectl("create", "rolebinding", "read", "--role=read", f"--serviceaccount={account}")

    def put(self, value: str) -> None:
        """Change the value."""
        data = {"password": base64.b64encode(value.encode()).decode()}
        self._kubectl("patch", "secret", "reader", f"--patch={json.dumps({'data': data})}")

    def _kubectl(self, *arguments: str) -> None:
        self._project.kubectl("--namespace", self.namespace, *arguments)


@pytest.fixture(scope="module")
def store(project: Project) -> Iterator[Store]:
    store = Store(project)
    store.create()
    yield store
    project.kubectl("delete", "namespace", store.namespace)


def push_operators() -> None:
    """Build and push the images of the operators, as `make up` does."""
    paths = Layout()
    with Display(Console()) as display:
        Node(paths, detect(paths)).images(display, [*CERT_MANAGER, EXTERNAL_SECRETS])


@pytest.fixture(scope="module")
def delivery(
    project: Project, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Delivery]:
    push_operators()
    with project.config() as config:
        used = project.run("kubectl", "get", "namespace", "cert-manager").returncode == 0
        config["slipway:certManager"] = {"enabled": not used}
        config["slipway:secretStores"] = {STORE: {"kubernetes": {"namespace": store.namespace}}}
        config["slipway:services"] = {"reader": reader(project), "hidden": hidden(project)}
    with delivered(project, tmp_path_factory.mktemp("delivery")) as delivery:
        delivery.set_mode("gitops")
        yield delivery


def pods(project: Project) -> set[str]:
    """Names of the pods."""
    return set(project.kubectl("get", "pods", "--output", "name").split())


def test_objects_of_operators_are_synced_and_healthy_and_stay_so(
    project: Project, delivery: Delivery
) -> None:
    delivery.start()
    file = project.folder / "ca.pem"
    project.make("ca-certificate", f"OUT={file}")
    assert get(file, project.host, "/").text == FIRST
    delivery.assert_stays_synced()
    (application,) = delivery.sync_objects()
    assert "ignoreDifferences" not in application["spec"]
    kinds = {"Certificate", "Issuer", "ExternalSecret", "SecretStore"}
    healthy = delivery.argocd.healthy_kinds(delivery.name)
    assert kinds <= healthy


def test_a_new_value_and_a_renewed_certificate_are_no_differences(
    project: Project, delivery: Delivery, store: Store
) -> None:
    file = project.folder / "ca.pem"
    before, old = pods(project), serial(file, project.host)
    started = delivery.argocd.status(delivery.name)["operationState"]["startedAt"]
    store.put(SECOND)
    renew(project, "reader-tls")
    wait_until("the new value", lambda: get(file, project.host, "/").text == SECOND, 120)
    wait_until("a new certificate", lambda: serial(file, project.host) != old, 60)
    delivery.assert_stays_synced()
    assert delivery.argocd.status(delivery.name)["operationState"]["startedAt"] == started
    assert pods(project) == before


def test_the_track_of_an_ended_canary_is_deleted_though_an_ingress_has_no_address(
    project: Project, delivery: Delivery
) -> None:
    def tracks() -> set[str]:
        selector = "--selector=app.kubernetes.io/name=hidden"
        return set(project.kubectl("get", "deployments", selector, "--output", "name").split())

    with project.restored_config():
        with project.config() as config:
            release = config["slipway:services"]["hidden"]["release"]
            release["canary"] = {"version": "0.2.0", "weight": 10}
        delivery.commit("Start a canary")
        assert len(tracks()) == 2
    delivery.commit("End the canary")
    wait_until("the end of the canary", lambda: len(tracks()) == 1, 60)
    delivery.assert_stays_synced()


def test_an_owner_changes_without_a_restarted_pod(project: Project, delivery: Delivery) -> None:
    objects, before = delivery.objects(), pods(project)
    delivery.set_mode("pulumi")
    delivery.stop()
    project.make("change-owner")
    assert set(changes(project.make("up").stdout)) == {"created"}
    assert pods(project) == before
    assert delivery.objects() == objects
    project.assert_unchanged()
    project.assert_no_drift()
