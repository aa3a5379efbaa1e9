from typing import Any

import pytest

from components.observability.collector_gateway import CollectorGateway
from components.observability.span_limit import COUNT_SPANS
from tests.unit.components.observability.servers import (
    args_of,
    bundled,
    config_file,
    container,
    deploy,
)
from tests.unit.harness import run
from tests.unit.stacks import BLUE_GREEN, GENERATED


def test_only_pods_of_the_services_namespace_may_send_spans() -> None:
    rules = deploy(CollectorGateway).one("NetworkPolicy")["spec"]["ingress"]
    spans = next(rule for rule in rules if {"port": 4318, "protocol": "TCP"} in rule["ports"])
    (peer,) = spans["from"]
    labels = {"kubernetes.io/metadata.name": "beacon-test"}
    assert peer == {"namespaceSelector": {"matchLabels": labels}}


def test_the_spans_of_dropped_traces_are_counted() -> None:
    arguments = container(deploy(CollectorGateway), "Deployment")["args"]
    assert f"--feature-gates={COUNT_SPANS}" in arguments


@pytest.mark.parametrize(
    ("release", "stable", "canary"),
    [
        (
            {"strategy": "progressive"},
            f"^beacon-progressive-primary-{GENERATED}$",
            f"^beacon-progressive-{GENERATED}$",
        ),
        (BLUE_GREEN, f"^beacon-blue-{GENERATED}$", f"^beacon-green-{GENERATED}$"),
    ],
)
def test_spans_have_the_role_of_their_pod_with_every_strategy(
    release: dict[str, Any], stable: str, canary: str
) -> None:
    args = args_of(bundled(release=release))
    config = config_file(run(lambda: CollectorGateway("it", args)), "collector.yaml")
    (rules,) = config["processors"]["transform/roles"]["trace_statements"]
    for track, pods in (("stable", stable), ("canary", canary)):
        is_pod = (
            'attributes["k8s.namespace.name"] == "beacon-test" and '
            f'IsMatch(attributes["k8s.pod.name"], "{pods}")'
        )
        assert f'set(attributes["track"], "{track}") where {is_pod}' in rules["statements"]
    processors = config["service"]["pipelines"]["traces"]["processors"]
    assert processors[:3] == ["memory_limiter", "k8sattributes", "transform/roles"]


def test_labels_that_are_roles_are_left_as_they_are() -> None:
    config = config_file(deploy(CollectorGateway), "collector.yaml")
    assert "transform/roles" not in config["processors"]
