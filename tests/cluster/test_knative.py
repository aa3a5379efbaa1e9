"""A Knative Service: accepted by Knative's webhook, routed by tag and percent, scaled to zero."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.cluster.knative import DOMAIN, Knative
from tests.cluster.project import INGRESS_URL, Project, wait_until
from tests.cluster.traffic import steady_load, versions_of

pytestmark = pytest.mark.timeout(900)

REQUESTS = 500
WEIGHT = 20
DEADLINE = 60
SECONDS = 60
"""Timeout of a request that waits for a pod: its version may be scaled to zero."""


@pytest.fixture(scope="module", autouse=True)
def knative(project: Project) -> Iterator[Knative]:
    """Knative Serving, and a stack with a service of its kind."""
    with Knative(project.environment) as knative:
        with project.config() as config:
            config.pop("slipway:defaults", None)
            config["slipway:services"] = {
                "hello": {
                    "source": "tests/cluster/services/hello",
                    "image": {"repository": f"slipway/{project.stack}/hello"},
                    "release": {"strategy": "canary", "stable": {"version": "0.1.0"}},
                    "ports": {"http": 9000},
                    "config": {"greeting": "hello"},
                    "secrets": {"token": {"generate": {"length": 32}}},
                    "workload": {
                        "kind": "knative",
                        "knative": {"minScale": 0, "maxScale": 3},
                        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
                    },
                    # Traefik accepts no ExternalName backends, which a DomainMapping has.
                    "routing": {"hosts": [project.host], "externalPort": 8080},
                }
            }
        project.make("up")
        try:
            yield knative
        finally:
            # Its finalizers need the controllers.
            project.make("down")


def host(project: Project) -> str:
    """Host of the service in Knative's domain."""
    return f"hello.{project.stack}.{DOMAIN}"


def answer(name: str) -> httpx.Response:
    """Response of a host; the first request after a pause waits for a pod."""
    return httpx.get(INGRESS_URL, headers={"Host": name}, timeout=SECONDS)


def versions(name: str, requests: int) -> Counter[str]:
    """Count the responses by version, with time for a start of a pod."""
    return versions_of(name, requests, timeout=SECONDS)


def traffic(project: Project) -> dict[str, int]:
    """Percentage of each tag."""
    path = "jsonpath={.status.traffic}"
    text = project.kubectl("get", "services.serving.knative.dev", "hello", "--output", path)
    return {one["tag"]: one.get("percent", 0) for one in json.loads(text)}


def pods(project: Project) -> list[str]:
    """Pods of the service that nothing has deleted."""
    selector = "app.kubernetes.io/name=hello"
    found = json.loads(project.kubectl("get", "pods", "--selector", selector, "--output=json"))
    return [
        one["metadata"]["name"]
        for one in found["items"]
        if "deletionTimestamp" not in one["metadata"]
    ]


def tagged(project: Project, track: str) -> str:
    """Host of a tag."""
    return f"{track}-{host(project)}"


def test_the_service_answers_on_its_hosts_and_nothing_is_left_to_change(project: Project) -> None:
    assert answer(host(project)).headers["X-Version"] == "0.1.0"
    text = project.make("status").stdout
    (row,) = (line for line in text.splitlines() if line.startswith("│"))
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[:5] == ["hello", "stable", "0.1.0", "100 %", "1/1"], text
    project.assert_unchanged()
    project.assert_no_drift()


def test_the_pods_comply_with_restricted_with_the_container_of_knative(project: Project) -> None:
    assert answer(host(project)).text == "hello\n"
    (pod,) = pods(project)
    containers = project.kubectl("get", "pod", pod, "-o", "jsonpath={.spec.containers[*].name}")
    assert set(containers.split()) == {"hello", "queue-proxy"}
    project.assert_pod_security(project.stack)


def test_it_is_scaled_to_zero_and_the_next_request_starts_a_pod(project: Project) -> None:
    wait_until("no pod", lambda: pods(project) == [], seconds=180)
    response = answer(host(project))
    print(f"the request that started a pod took {response.elapsed.total_seconds():.1f} s")
    assert response.text == "hello\n"
    assert len(pods(project)) == 1


def test_a_canary_gets_its_percentage_and_has_a_host_and_is_promoted_and_rolled_back(
    project: Project,
) -> None:
    with steady_load(host(project), timeout=SECONDS) as before:
        project.make("canary", "VERSION=0.2.0", f"WEIGHT={WEIGHT}")
        shares = {"stable": 100 - WEIGHT, "canary": WEIGHT}
        wait_until("the percentages", lambda: traffic(project) == shares, seconds=30)
    seen = versions(host(project), REQUESTS)
    print(f"{seen['0.2.0']} of {REQUESTS} requests at weight {WEIGHT}")
    assert abs(seen["0.2.0"] - REQUESTS * WEIGHT // 100) <= REQUESTS // 100
    assert set(seen) == {"0.1.0", "0.2.0"}
    assert set(versions(tagged(project, "canary"), 20)) == {"0.2.0"}
    assert set(versions(tagged(project, "stable"), 20)) == {"0.1.0"}
    with steady_load(host(project), timeout=SECONDS) as after:
        project.make("promote")
        wait_until("0.2.0", lambda: set(versions(host(project), 20)) == {"0.2.0"}, seconds=30)
        project.make("rollback")
        wait_until("0.1.0", lambda: set(versions(host(project), 20)) == {"0.1.0"}, seconds=30)
    slowest = max(one.latency for one in after.results)
    print(f"the slowest request of the promotion and the rollback took {slowest:.1f} s")
    assert before.failures == after.failures == []
    project.assert_no_drift()


def test_a_version_that_does_not_become_ready_gets_no_requests(project: Project) -> None:
    with project.restored_config(), steady_load(host(project), timeout=SECONDS) as load:
        with project.service() as service:
            service["probes"] = {"readiness": {"httpGet": {"path": "/fail"}}}
            service["workload"]["rollout"] = {"progressDeadlineSeconds": DEADLINE}
        project.make_fails("up")
        assert set(versions(host(project), 20)) == {"0.1.0"}
    assert load.failures == []
    project.make("up")
    project.assert_no_drift()


def test_the_webhook_refuses_another_template_with_the_name_of_a_revision(
    project: Project,
) -> None:
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "hello", "image": "a/b"}]}}}}
    refused = subprocess.run(
        [
            *("kubectl", f"--namespace={project.stack}", "patch", "--type=merge"),
            *("services.serving.knative.dev", "hello", f"--patch={json.dumps(patch)}"),
        ],
        env=dict(project.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0
    assert "changes without a name change" in refused.stderr
