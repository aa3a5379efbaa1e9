"""A stack with observability servers, which the tests of this folder share."""

import json
import secrets
from collections.abc import Iterator, Mapping

import pytest

from local.layout import NODE_IP
from settings import load
from tests.cluster.observability.receiver import Receiver
from tests.cluster.observability.servers import Servers
from tests.cluster.project import Project, wait_until

SMALL = {
    "volumeSize": "1Gi",
    "resources": {
        "requests": {"cpu": "20m", "memory": "64Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    },
}


def cluster_objects(project: Project) -> list[str]:
    """Return the names of the cluster-scoped objects that contain the stack's name."""
    kinds = "namespaces,clusterroles,clusterrolebindings,persistentvolumes"
    items = json.loads(project.kubectl("get", kinds, "--output", "json"))["items"]
    return [item["metadata"]["name"] for item in items if project.stack in json.dumps(item)]


def set_alert_secrets(project: Project, values: Mapping[str, str]) -> None:
    """Encrypt values of ``observability.alerts`` in the stack file."""
    secret = (f"slipway:observability.alerts.{key}={value}" for key, value in values.items())
    result = project.run(
        *("pulumi", "config", "set-all", "--stack", project.stack, "--path"),
        *(f"--secret={one}" for one in secret),
    )
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="package")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="package")
def monitored(
    cluster_environment: Mapping[str, str],
    receiver: Receiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("monitored")
    project = Project.copy(folder, f"seen-{secrets.token_hex(3)}", cluster_environment)
    with project.config() as config:
        config["slipway:observability"] = {
            "mode": "bundled",
            "nodeNamespace": f"{project.stack}-node",
            "metrics": {"scrapeIntervalSeconds": 5, **SMALL},
            "logs": SMALL,
            "traces": {**SMALL, "volumeSize": "5Gi", "retentionDays": 1},
            "alerts": {"groupWaitSeconds": 1},
            "grafana": {"enabled": False},
        }
        config["slipway:network"] = {
            "monitoringNamespace": f"{project.stack}-monitoring",
            "nodeCIDRs": [f"{NODE_IP}/32"],
        }
    with project.service() as service:
        service["slo"] = {"availability": 99.9}
        service["tracing"] = {"sampleRatio": 1}
        # By default, beacon starts a new trace for a request that the proxy forwards.
        service["config"]["tracing"] = {"trustParent": "always"}
    project.run("pulumi", "stack", "select", "--create", project.stack)
    set_alert_secrets(
        project,
        {
            "page.webhook": receiver.url("/page"),
            "ticket.webhook": receiver.url("/ticket"),
            "heartbeat": receiver.url("/heartbeat"),
        },
    )
    project.make("up")
    yield project
    project.make("down")
    wait_until(f"deletion of {project.stack}", lambda: not cluster_objects(project), 60)
    project.remove_stack()


@pytest.fixture(scope="package")
def servers(monitored: Project) -> Iterator[Servers]:
    with Servers(load(str(monitored.file)), monitored.environment) as servers:
        yield servers
