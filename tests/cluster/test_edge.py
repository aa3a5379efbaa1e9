"""Pods on an edge node that is cut off: the node lifecycle controller taints it.

Those with ``workload.edge`` stay for the time of the settings; those without it are evicted.
"""

import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import httpx
import pytest

from local import layout, registry
from local.layout import Layout
from settings import ARCHITECTURE, EDGE_NODE, OFFLINE_TAINTS
from tests.cluster.edge_node import EdgeNode
from tests.cluster.project import Project, wait_until

pytestmark = pytest.mark.timeout(1200)

GROUP = "shops"
OFFLINE_SECONDS = 60
DEFAULT_SECONDS = 300
"""Time for which Kubernetes keeps the pods of an unreachable node by default."""
GRACE_SECONDS = 90
"""Time in which the node lifecycle controller finds out, and that of its eviction."""
EDGE = {"architectures": ["arm64"], "nodeGroup": GROUP}
WITHOUT_EDGE = {
    "scheduling": {
        "nodeAffinity": {"required": {ARCHITECTURE: "arm64"}},
        "tolerations": [{"key": EDGE_NODE, "operator": "Exists"}],
    }
}
"""Placement on the same node, with nothing for the time that it is offline."""
WORKLOADS: Mapping[str, Mapping[str, Any]] = {
    "kept": {"edge": EDGE},
    "limited": {"edge": {**EDGE, "offlineSeconds": OFFLINE_SECONDS}},
    "control": WITHOUT_EDGE,
}
"""Workload of each service."""
REPLICAS = 2
VERSION = "0.1.0"


@pytest.fixture(scope="module")
def node(project: Project) -> Iterator[EdgeNode]:
    """An edge node with the pods of three services."""
    repository = f"slipway/{project.stack}/hello"
    release = {"stable": {"version": VERSION}}
    with EdgeNode(f"edge-{project.stack}", GROUP, project.environment) as node:
        with project.config() as config:
            config.pop("slipway:defaults", None)
            config["slipway:services"] = {
                "kept": {
                    **settings_of("kept", repository),
                    "source": "tests/cluster/services/hello",
                    "release": deepcopy(release),
                }
            }
        project.make("up")
        release["stable"]["digest"] = registry.digest(Layout(), repository, VERSION) or ""
        with project.config() as config:
            for name in ("limited", "control"):
                config["slipway:services"][name] = {
                    **settings_of(name, repository),
                    "release": deepcopy(release),
                }
        project.make("up")
        yield node


def settings_of(name: str, repository: str) -> dict[str, Any]:
    """A service with the workload of its name."""
    return {
        "image": {"repository": repository},
        "ports": {"http": 9000},
        "autoscaling": {} if "edge" in WORKLOADS[name] else {"enabled": False},
        "workload": {**deepcopy(WORKLOADS[name]), "replicas": REPLICAS},
    }


def running(node: EdgeNode, project: Project, service: str) -> set[str]:
    """Names of the service's pods on the node that nothing has deleted."""
    return {
        pod["metadata"]["name"]
        for pod in node.pods()
        if pod["metadata"]["namespace"] == project.stack
        and pod["metadata"]["labels"]["app.kubernetes.io/name"] == service
        and "deletionTimestamp" not in pod["metadata"]
    }


def replicas(project: Project, service: str) -> int:
    """Pods of the service on all nodes and on none."""
    selector = f"app.kubernetes.io/name={service}"
    return len(project.kubectl("get", "pods", "--selector", selector, "--output=name").split())


def test_the_image_is_built_for_the_architecture_of_the_edge_nodes(
    project: Project, node: EdgeNode
) -> None:
    url = f"http://{layout.REGISTRY}/v2/slipway/{project.stack}/hello"
    kinds = ("oci.image.index.v1", "oci.image.manifest.v1")
    headers = {
        "Accept": ", ".join(f"application/vnd.{kind}+json" for kind in kinds),
        "Authorization": registry.authorization(Layout()),
    }
    index = httpx.get(f"{url}/manifests/{VERSION}", headers=headers).json()
    architectures = {one["platform"]["architecture"] for one in index["manifests"]}
    # The other one is of its attestations.
    assert architectures - {"unknown"} == {"arm64"}


def test_the_pods_run_on_the_edge_node_without_an_autoscaler(
    project: Project, node: EdgeNode
) -> None:
    for service in WORKLOADS:
        assert len(running(node, project, service)) == REPLICAS, service
    assert project.kubectl("get", "hpa", "--output=name") == ""


def test_pods_on_a_node_that_is_cut_off_stay_for_the_time_of_the_settings(
    project: Project, node: EdgeNode
) -> None:
    before = {service: running(node, project, service) for service in WORKLOADS}
    node.disconnect()
    wait_until("the node to be unreachable", lambda: node.ready == "Unknown", GRACE_SECONDS)
    unreachable = (OFFLINE_TAINTS[1], "NoExecute")
    wait_until("the taint", lambda: unreachable in node.taints, GRACE_SECONDS)
    tainted = time.monotonic()
    evicted: dict[str, float] = {}
    while time.monotonic() < tainted + DEFAULT_SECONDS + GRACE_SECONDS:
        for service in WORKLOADS:
            if service not in evicted and running(node, project, service) != before[service]:
                evicted[service] = time.monotonic() - tainted
                print(f"{service}: evicted {evicted[service]:.0f} s after the taint")
        if evicted.keys() == {"limited", "control"}:
            break
        time.sleep(1)
    assert evicted.keys() == {"limited", "control"}
    assert OFFLINE_SECONDS - 5 < evicted["limited"] < OFFLINE_SECONDS + 30
    assert DEFAULT_SECONDS - 5 < evicted["control"] < DEFAULT_SECONDS + 30
    # Still there, when the time of all others is over, and not replaced.
    assert running(node, project, "kept") == before["kept"]
    assert replicas(project, "kept") == REPLICAS
    # New pods wait for another edge node: the scheduler does not use one that is offline.
    assert replicas(project, "limited") == 2 * REPLICAS
    assert running(node, project, "limited") == set()
