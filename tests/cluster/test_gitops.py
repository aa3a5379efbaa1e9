"""A stack that a real Argo CD syncs from Git, and the change of its owner under load.

``SETTLE_SECONDS=600 .venv/bin/python -m pytest tests/cluster/test_gitops.py`` observes for ten
minutes after each change by Git or by hand that the stack stays as it was synced.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from components.labels import INSTANCE_LABEL
from tests.cluster.delivery import SETTLE_SECONDS, Delivery, delivered
from tests.cluster.progressive import RATE as RATE_OF_RELEASES
from tests.cluster.progressive import add_prometheus, status
from tests.cluster.project import Project, changes, wait_until
from tests.cluster.traffic import steady_load, versions_of

REQUESTS = int(os.environ.get("REQUESTS", "3000"))
"""Fewest requests during the changes of the owner."""
RATE = 100
PATIENT = 3
"""Failed checks of Flagger after which a release is rolled back."""

pytestmark = pytest.mark.timeout(900 + REQUESTS // RATE + 5 * SETTLE_SECONDS)


@pytest.fixture(scope="module")
def delivery(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    with project.service() as service:
        service["routing"]["backend"] = "gateway"
        # Pods that start use the processor: the autoscaler adds pods, and may not delete others.
        service["autoscaling"] = {"scaleDownStabilizationWindowSeconds": 3600}
        # Manifests have no generated values.
        del service["secrets"], service["config"]["faults"]
    with delivered(project, tmp_path_factory.mktemp("delivery")) as delivery:
        yield delivery
    # The stack is Pulumi's again, and empty.
    namespaces = [f"{project.stack}{suffix}" for suffix in ("", "-monitoring", "-node")]
    for name in namespaces:
        project.kubectl("delete", "namespace", name, "--ignore-not-found")
    of_stack = f"--selector={INSTANCE_LABEL} in ({','.join(namespaces)})"
    project.kubectl("delete", "clusterroles,clusterrolebindings", of_stack)
    delivery.set_mode("pulumi")


@contextmanager
def no_failed_request(project: Project, requests: int = 0) -> Iterator[None]:
    """Send requests during the block, and at least ``requests``. None may fail."""
    with steady_load(project.host, RATE) as load:
        yield
        seconds = 60 + 2 * requests / RATE
        wait_until("the requests", lambda: len(load.results) >= requests, seconds)
    print(f"{len(load.results)} requests: {dict(load.versions)}")
    assert list(load.failures) == []


def test_an_owner_changes_and_back_without_a_failed_request_or_a_restarted_pod(
    project: Project, delivery: Delivery
) -> None:
    delivery.set_mode("gitops")
    delivery.publish()
    delivery.set_mode("pulumi")
    project.make("up")
    objects, pods = delivery.objects(), delivery.pods()
    with no_failed_request(project, REQUESTS):
        delivery.set_mode("gitops")
        project.make("change-owner")
        delivery.start()
        assert delivery.objects() == objects
        delivery.set_mode("pulumi")
        delivery.stop()
        project.make("change-owner")
        assert set(changes(project.make("up").stdout)) == {"created"}
    assert pods.items() <= delivery.pods().items()  # the autoscaler adds some
    assert delivery.objects() == objects
    project.assert_unchanged()
    project.assert_no_drift()


def test_a_first_sync_creates_the_objects_that_pulumi_creates(
    project: Project, delivery: Delivery
) -> None:
    objects = delivery.objects()
    project.make("down")
    delivery.set_mode("gitops")
    delivery.start()
    delivery.assert_stays_synced()
    assert delivery.objects() == objects
    assert set(versions_of(project.host, 20)) == {"1.0.0"}


def test_changes_by_commit_are_synced_and_reverted(project: Project, delivery: Delivery) -> None:
    first = delivery.objects()
    with project.restored_config():
        (project.folder / "app" / "VERSION").write_text("1.1.0\n")
        with project.service() as service:
            service["release"]["canary"] = {"version": "1.1.0", "weight": 50}
        with no_failed_request(project):
            delivery.commit("Route half of the requests to 1.1.0")
        assert set(versions_of(project.host, 40)) == {"1.0.0", "1.1.0"}
        delivery.assert_stays_synced()

        with project.service() as service:
            service["release"]["stable"] = service["release"].pop("canary")
            del service["release"]["stable"]["weight"]
        with no_failed_request(project):
            delivery.commit("Promote 1.1.0")
        assert set(versions_of(project.host, 20)) == {"1.1.0"}
        assert not project.kubectl("get", "deployments", "--selector=track=canary")
        pods = delivery.pods()

        with project.service() as service:
            service["config"]["message"] = "Hello from Git"
        delivery.commit("Change the message")
        wait_until("the message", lambda: "Hello from Git" in project.get().text, seconds=100)
        assert delivery.pods().items() <= pods.items()  # the autoscaler removes some
        delivery.assert_stays_synced()

        with no_failed_request(project):
            delivery.wait_for(delivery.git.revert(commits=3))
        assert set(versions_of(project.host, 20)) == {"1.0.0"}
        delivery.assert_stays_synced()
    assert delivery.objects() == first


def test_a_change_by_hand_is_reverted(project: Project, delivery: Delivery) -> None:
    before = delivery.objects()
    project.kubectl("delete", "service/beacon-stable")
    project.kubectl("patch", "configmap/beacon-stable", "--patch", '{"data": {"config.yaml": ""}}')
    wait_until("the objects of Git", lambda: delivery.objects() == before, seconds=60)
    delivery.assert_stays_synced()


def test_replicas_are_those_of_the_autoscaler_until_it_is_removed_from_git(
    project: Project, delivery: Delivery
) -> None:
    def replicas() -> str:
        path = "--output=jsonpath={.spec.replicas}"
        return project.kubectl("get", "deployment/beacon-stable", path)

    project.kubectl("scale", "deployment/beacon-stable", "--replicas=3")
    time.sleep(20)
    assert delivery.argocd.differences(delivery.name) == []
    assert replicas() == "3"
    with project.service() as service:
        service["autoscaling"] = {"enabled": False}
        service["workload"]["replicas"] = 2
    delivery.commit("Remove the autoscaler")
    assert not project.kubectl("get", "horizontalpodautoscalers", "--output=name")
    assert replicas() == "2"


def commit_stack_file(project: Project) -> None:
    """Commit the stack file in the repository of the project, which is not that of Git."""
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    for arguments in (
        ("init", "--quiet"),
        ("add", project.file.name),
        (*author, "commit", "--quiet", "--message", "Change the stack"),
    ):
        assert project.run("git", *arguments).returncode == 0


def test_git_agrees_with_the_releases_that_flagger_decides(
    project: Project, delivery: Delivery
) -> None:
    def phase() -> str:
        return status(project, "beacon").phase

    def release(version: str, **faults: float) -> None:
        (project.folder / "app" / "VERSION").write_text(f"{version}\n")
        with project.service() as service:
            service["release"]["stable"] = {"version": version}
            service["config"]["faults"] = {"enabled": True, **faults}
        delivery.publish()
        commit_stack_file(project)

    with project.config() as config:
        add_prometheus(config, project.stack)
    with project.service() as service:
        service["slo"] = {"availability": 99.9}
        service["workload"].pop("replicas", None)
        service["autoscaling"] = {"maxReplicas": 4}
        service["release"]["strategy"] = "progressive"
        service["release"]["progressive"] = {
            "steps": [50],
            "intervalSeconds": 10,
            "threshold": PATIENT,
        }
    delivery.commit("Let Flagger decide the releases")
    assert phase() == "Initialized"

    with steady_load(project.host, RATE_OF_RELEASES):
        release("1.1.0")
        delivery.wait_for(delivery.git.commit("Release 1.1.0"))
        assert phase() == "Succeeded"

        release("1.2.0", errorRate=0.2)
        delivery.git.commit("Release 1.2.0")
        delivery.argocd.refresh(delivery.name)
        wait_until("the rollback", lambda: phase() == "Failed", seconds=240)
        assert "stable 1.2.0 -> 1.1.0" in project.make("restore-release").stdout
        with project.service() as service:
            assert service["release"]["stable"]["version"] == "1.1.0"
            assert service["config"]["faults"] == {"enabled": True}
        delivery.commit("Roll back to 1.1.0")
    assert set(versions_of(project.host, 20)) == {"1.1.0"}
    assert "has rolled back no release" in project.make("restore-release").stdout
