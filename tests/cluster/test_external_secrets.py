"""Secrets of a store: read, changed, refused, and used by a second stack."""

import base64
import json
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from components.observability.rules.external_secrets import NOT_SYNCED
from tests.cluster.project import Project, wait_until

pytestmark = pytest.mark.timeout(900)

REFRESH_SECONDS = 10
KUBELET_SECONDS = 100
"""The kubelet updates files of a running pod at most this late."""
FIRST, SECOND, THIRD = (f"{name}-{secrets.token_hex(8)}" for name in ("first", "second", "third"))


@dataclass(frozen=True)
class Store:
    """A namespace with the secret `database`, which the ServiceAccounts of stacks may read."""

    namespace: str
    environment: Mapping[str, str]

    def put(self, password: str) -> None:
        """Create the secret, or change it."""
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "database", "namespace": self.namespace},
            "stringData": {"password": password},
        }
        self._kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(secret))

    def allow(self, stack: str) -> None:
        """Allow the ServiceAccount of a stack's store to read."""
        account = f"--serviceaccount={stack}:secret-store-team"
        self._kubectl("create", "rolebinding", stack, "--role=read", account, *self._options)

    def revoke(self, stack: str) -> None:
        """Take the access of a stack back."""
        self._kubectl("delete", "rolebinding", stack, *self._options)

    def create(self) -> None:
        """Create the namespace."""
        self._kubectl("create", "namespace", self.namespace)
        read = ("--verb=get", "--resource=secrets")
        self._kubectl("create", "role", "read", *read, *self._options)

    def delete(self) -> None:
        """Delete the namespace."""
        self._kubectl("delete", "namespace", self.namespace, "--ignore-not-found")

    @property
    def _options(self) -> tuple[str, ...]:
        return ("--namespace", self.namespace)

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> None:
        result = subprocess.run(
            ["kubectl", *arguments],
            env=dict(self.environment),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def store(project: Project) -> Iterator[Store]:
    store = Store(f"test-store-{secrets.token_hex(3)}", project.environment)
    store.create()
    store.put(FIRST)
    store.allow(project.stack)
    yield store
    store.delete()


def configure(project: Project, store: Store, repository: str, **external_secrets: Any) -> None:
    """Configure a service whose responses are the secret."""
    with project.config() as config:
        config["slipway:externalSecrets"] = external_secrets
        config["slipway:secretStores"] = {"team": {"kubernetes": {"namespace": store.namespace}}}
        source = {"store": "team", "key": "database", "property": "password"}
        config["slipway:services"] = {
            "reader": {
                "source": "tests/cluster/services/reader",
                "image": {"repository": repository},
                "release": {"stable": {"version": "0.1.0"}},
                "metrics": None,
                "routing": {"hosts": [project.host]},
                "workload": {"replicas": 1},
                "autoscaling": {"enabled": False},
                "secrets": {
                    "password": {"external": {**source, "refreshSeconds": REFRESH_SECONDS}}
                },
            }
        }


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project, store: Store) -> None:
    configure(project, store, f"slipway/{project.stack}", scope="cluster")
    project.make("up")


def pods(project: Project) -> set[str]:
    """Names of the service's pods."""
    selector = ("--selector", "app.kubernetes.io/name=reader")
    return set(project.kubectl("get", "pods", *selector, "--output", "name").split())


def metrics(project: Project) -> str:
    """Metrics of External Secrets."""
    selector = ("--selector", "app.kubernetes.io/name=external-secrets")
    pod = project.kubectl("get", "pods", *selector, "--output", "name").strip()
    name = pod.removeprefix("pod/")
    path = f"/api/v1/namespaces/{project.stack}/pods/{name}:8080/proxy/metrics"
    return project.kubectl("get", "--raw", path)


def is_reported(project: Project, series: str) -> bool:
    """True if a metric that an alert selects has the value 1 for an object of the stack."""
    return any(
        line.startswith(series.partition("{")[0])
        and all(label in line for label in series.partition("{")[2].rstrip("}").split(","))
        and f'namespace="{project.stack}"' in line
        and line.endswith(" 1")
        for line in metrics(project).splitlines()
    )


def synced(project: Project) -> bool:
    found = project.kubectl("get", "externalsecret", "reader-password", "--output", "json")
    conditions = json.loads(found)["status"]["conditions"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def test_a_value_of_a_store_is_a_file_and_nowhere_in_the_state(project: Project) -> None:
    assert project.get().text == FIRST
    state = project.run("pulumi", "stack", "export", "--show-secrets", "--stack", project.stack)
    assert "reader-password" in state.stdout
    assert FIRST not in state.stdout
    project.assert_unchanged()
    project.assert_no_drift()


def test_a_changed_value_is_read_without_a_restart(project: Project, store: Store) -> None:
    before = pods(project)
    store.put(SECOND)
    seconds = REFRESH_SECONDS + KUBELET_SECONDS
    wait_until("the new value", lambda: project.get().text == SECOND, seconds)
    assert pods(project) == before


def test_a_revoked_access_is_reported_and_the_service_keeps_the_value(
    project: Project, store: Store
) -> None:
    store.revoke(project.stack)
    wait_until("the alert", lambda: is_reported(project, NOT_SYNCED), seconds=60)
    text = project.make("status").stdout
    assert "reader-password" in text
    # The reason of the secret, or that of its store, whichever was checked last.
    assert "is forbidden" in text or "is not allowed to get secrets" in text
    assert project.get().text == SECOND
    store.allow(project.stack)
    wait_until("the next read", lambda: synced(project), seconds=90)
    assert "reader-password" not in project.make("status").stdout


def test_a_wrong_path_is_refused_by_name(project: Project, store: Store) -> None:
    with project.restored_config():
        with project.service() as service:
            source = {"store": "team", "key": "missing-path"}
            service["secrets"]["licence"] = {"external": source}
        text = project.make_fails("up").stdout
    assert "reader-licence" in text
    assert "missing-path" in text
    assert project.get().text == SECOND
    project.make("up")


def test_a_second_stack_uses_the_operator_and_does_not_delete_it(
    project: Project, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("second")
    second = Project.copy(folder, f"test-{secrets.token_hex(3)}", project.environment)
    configure(second, store, f"slipway/{project.stack}", enabled=False)
    try:
        store.allow(second.stack)
        second.make("up")
        assert second.get().text == SECOND
        assert second.stack in project.make_fails("down").stderr
    finally:
        second.make("down")
        second.remove_stack()
    store.put(THIRD)
    wait_until(
        "the operator",
        lambda: (
            THIRD in _decoded(project.kubectl("get", "secret", "reader-password", "-o", "json"))
        ),
        seconds=60,
    )


def test_only_the_definitions_are_left(project: Project) -> None:
    project.make("down")
    definitions = project.run("kubectl", "get", "crds", "--output", "name").stdout
    assert "externalsecrets.external-secrets.io" in definitions
    for kinds in ("namespaces", "clusterroles", "clusterrolebindings"):
        assert project.stack not in project.run("kubectl", "get", kinds, "--output", "name").stdout


def _decoded(secret: str) -> str:
    return base64.b64decode(json.loads(secret)["data"]["password"]).decode()
