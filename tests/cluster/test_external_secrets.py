"""Secrets in Vault: read, changed, refused, out of reach, and used by a second stack."""

import base64
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from components.observability.rules.external_secrets import external_secrets_rules
from tests.cluster.alerting import Alerting
from tests.cluster.project import Project, wait_until
from tests.cluster.traffic import steady_load
from tests.cluster.vault import SERVICE_ACCOUNT, TeamVault

pytestmark = pytest.mark.timeout(900)

REFRESH_SECONDS = 10
KUBELET_SECONDS = 100
"""The kubelet updates files of a running pod at most this late."""
DEPLOYMENT = "deployment/reader-stable"
VALUES = [secrets.token_hex(12) for _ in range(6)]
FIRST, SECOND, THIRD, FOURTH, FIRST_SESSION, SECOND_SESSION = VALUES


@pytest.fixture(scope="module")
def vault(project: Project) -> Iterator[TeamVault]:
    values = {"database": FIRST, "session": FIRST_SESSION}
    with TeamVault(project.environment, values) as vault:
        yield vault


def external(store: str, key: str, property_: str) -> dict[str, Any]:
    """Source of a secret."""
    source = {"store": store, "key": key, "property": property_}
    return {"external": {**source, "refreshSeconds": REFRESH_SECONDS}}


def configure(
    project: Project, store: dict[str, Any], service_secrets: dict[str, Any], **operator: Any
) -> None:
    """Configure a service whose responses are its secrets."""
    with project.config() as config:
        config["slipway:externalSecrets"] = operator
        config["slipway:secretStores"] = {"team": store}
        config["slipway:services"] = {
            "reader": {
                "source": "tests/cluster/services/reader",
                "image": {"repository": f"slipway/{project.stack}"},
                "release": {"stable": {"version": "0.1.0"}},
                "metrics": None,
                "routing": {"hosts": [project.host]},
                "workload": {"replicas": 1},
                "autoscaling": {"enabled": False},
                "secrets": service_secrets,
            }
        }


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project, vault: TeamVault) -> None:
    session = {
        **external("team", "shop/session", "value"),
        "as": "env",
        "variable": "SESSION",
        "reason": "It is read once.",
        "onChange": "restart",
    }
    configure(
        project,
        {"vault": {"server": vault.url, "role": "shop", "insecure": True}},
        {"password": external("team", "shop/database", "value"), "session": session},
        scope="cluster",
        reloader=True,
    )
    project.make("up")


@pytest.fixture(scope="module")
def alerting(
    project: Project, deployed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Alerting]:
    selector = ("--selector", "app.kubernetes.io/name=external-secrets")
    output = ("--output", "jsonpath={.items[0].status.podIP}")
    target = f"{project.kubectl('get', 'pods', *selector, *output)}:8080"
    folder = tmp_path_factory.mktemp("alerting")
    with Alerting(folder, target, external_secrets_rules()) as alerting:
        yield alerting


def pods(project: Project) -> set[str]:
    """Names of the service's pods."""
    selector = ("--selector", "app.kubernetes.io/name=reader")
    return set(project.kubectl("get", "pods", *selector, "--output", "name").split())


def value_of(project: Project, secret: str, key: str) -> str:
    """Value in a Secret."""
    data = json.loads(project.kubectl("get", "secret", secret, "--output", "json"))["data"]
    return base64.b64decode(data[key]).decode()


def is_ready(project: Project, name: str) -> bool:
    """True if the condition `Ready` of an object is true."""
    found = json.loads(project.kubectl("get", name, "--output", "json"))
    return any(
        one["type"] == "Ready" and one["status"] == "True" for one in found["status"]["conditions"]
    )


def read_now(project: Project) -> None:
    """Read without the delay after failures, as the runbook says."""
    project.kubectl(
        *("annotate", "externalsecret", "--all", "--overwrite", f"force-sync={time.time()}")
    )


def test_a_value_of_vault_is_a_file_and_nowhere_in_the_state(project: Project) -> None:
    assert project.get().text == FIRST
    assert project.get("/session").text == FIRST_SESSION
    state = project.run("pulumi", "stack", "export", "--show-secrets", "--stack", project.stack)
    assert "reader-password" in state.stdout
    assert not [value for value in VALUES if value in state.stdout]
    project.assert_unchanged()
    project.assert_no_drift()


def test_a_changed_value_is_read_without_a_restart(project: Project, vault: TeamVault) -> None:
    before, changed = pods(project), time.monotonic()
    vault.put("database", SECOND)
    seconds = REFRESH_SECONDS + KUBELET_SECONDS
    wait_until("the new value", lambda: project.get().text == SECOND, seconds)
    print(f"{time.monotonic() - changed:.0f} s from the change to the first response with it")
    assert pods(project) == before


def test_a_rolling_restart_by_reloader_fails_no_request_and_is_no_drift(
    project: Project, vault: TeamVault
) -> None:
    """Reloader itself is not run: the test does what its strategy `annotations` does."""
    changed = time.monotonic()
    with steady_load(project.host, path="/session") as load:
        vault.put("session", SECOND_SESSION)
        wait_until(
            "the new value",
            lambda: value_of(project, "reader-session", "session") == SECOND_SESSION,
            REFRESH_SECONDS + 5,
        )
        deployment = json.loads(project.kubectl("get", DEPLOYMENT, "--output", "json"))
        annotation = deployment["metadata"]["annotations"]["secret.reloader.stakater.com/reload"]
        assert annotation == "reader-session"
        annotations = {"reloader.stakater.com/last-reloaded-from": secrets.token_hex(20)}
        template = {"metadata": {"annotations": annotations}}
        patch = json.dumps({"spec": {"template": template}})
        project.kubectl("patch", DEPLOYMENT, "--patch", patch)
        project.kubectl("rollout", "status", DEPLOYMENT, "--timeout=55s")
        wait_until("the end", lambda: load.results[-1].body == SECOND_SESSION, 30)
        seconds = time.monotonic() - changed
    assert not load.failures
    print(f"{len(load.results)} requests, 0 failed; restarted {seconds:.0f} s after the change")
    project.assert_unchanged()
    project.assert_no_drift()
    assert project.get("/session").text == SECOND_SESSION


def test_a_revoked_access_is_reported_and_the_service_keeps_the_value(
    project: Project, vault: TeamVault, alerting: Alerting
) -> None:
    vault.revoke()
    alert = f"ExternalSecretNotSynced {project.stack}/reader-password"
    wait_until("the alert", lambda: alert in alerting.firing(), seconds=90)
    text = project.make("status").stdout
    assert "ExternalSecret/reader-password" in text
    assert "permission denied" in text
    assert project.get().text == SECOND
    vault.allow()
    read_now(project)
    wait_until("the end of the alert", lambda: not alerting.firing(), seconds=60)
    assert "reader-password" not in project.make("status").stdout


def test_a_vault_that_is_down_is_reported_and_pods_start_with_the_last_value(
    project: Project, vault: TeamVault, alerting: Alerting
) -> None:
    vault.stop()
    stopped = time.monotonic()
    alerts = {
        f"ExternalSecretNotSynced {project.stack}/reader-password",
        f"SecretStoreNotReady {project.stack}/team",
    }
    wait_until("the alerts", lambda: alerts <= alerting.firing(), seconds=120)
    print(f"{time.monotonic() - stopped:.0f} s to the alerts")
    text = project.make("status").stdout
    assert "SecretStore/team" in text
    assert "connection refused" in text
    project.kubectl("rollout", "restart", DEPLOYMENT)
    project.kubectl("rollout", "status", DEPLOYMENT, "--timeout=55s")
    assert project.get().text == SECOND
    vault.start()
    vault.put("database", THIRD)
    # External Secrets checks its stores every 30 seconds.
    wait_until("the store", lambda: is_ready(project, "secretstore/team"), seconds=60)
    read_now(project)
    wait_until("the end of the alerts", lambda: not alerting.firing(), seconds=60)
    assert value_of(project, "reader-password", "password") == THIRD


def test_a_wrong_path_is_refused_by_name(project: Project) -> None:
    before = project.get().text
    with project.restored_config():
        with project.service() as service:
            service["secrets"]["licence"] = external("team", "shop/missing-path", "value")
        text = project.make_fails("up").stdout
    assert "reader-licence" in text
    assert "missing-path" in text
    assert project.get().text in (before, THIRD)
    project.make("up")


def test_a_second_stack_uses_the_operator_and_does_not_delete_it(
    project: Project, vault: TeamVault, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Its store is the namespace of the first stack."""
    folder = tmp_path_factory.mktemp("second")
    second = Project.copy(folder, f"test-{secrets.token_hex(3)}", project.environment)
    store = {"kubernetes": {"namespace": project.stack}}
    password = external("team", "reader-password", "password")
    configure(second, store, {"password": password}, enabled=False)
    read = ("--verb=get", "--resource=secrets", "--resource-name=reader-password")
    project.kubectl("create", "role", "read", *read)
    account = f"--serviceaccount={second.stack}:{SERVICE_ACCOUNT}"
    project.kubectl("create", "rolebinding", "read", "--role=read", account)
    try:
        second.make("up")
        assert second.get().text == THIRD
        assert second.stack in project.make_fails("down").stderr
    finally:
        second.make("down")
        second.remove_stack()
    vault.put("database", FOURTH)
    wait_until(
        "the operator",
        lambda: value_of(project, "reader-password", "password") == FOURTH,
        seconds=60,
    )


def test_no_value_is_in_objects_logs_and_process_lists(project: Project) -> None:
    kinds = "deployments,replicasets,pods,configmaps,events,externalsecrets,secretstores"
    found = {
        "objects": project.kubectl("get", kinds, "--output", "json"),
        "logs": project.kubectl("logs", "deployment/external-secrets", "--tail=-1"),
        "processes": project.run("ps", "-eo", "args").stdout,
    }
    assert not [
        (where, value) for where, text in found.items() for value in VALUES if value in text
    ]


def test_only_the_definitions_are_left(project: Project) -> None:
    project.make("down")
    definitions = project.run("kubectl", "get", "crds", "--output", "name").stdout
    assert "externalsecrets.external-secrets.io" in definitions
    for kinds in ("namespaces", "clusterroles", "clusterrolebindings"):
        assert project.stack not in project.run("kubectl", "get", kinds, "--output", "name").stdout
