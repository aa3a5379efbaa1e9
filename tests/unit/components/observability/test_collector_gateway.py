from components.observability.collector_gateway import CollectorGateway
from components.observability.span_limit import COUNT_SPANS
from tests.unit.components.observability.servers import container, deploy


def test_only_pods_of_the_services_namespace_may_send_spans() -> None:
    rules = deploy(CollectorGateway).one("NetworkPolicy")["spec"]["ingress"]
    spans = next(rule for rule in rules if {"port": 4318, "protocol": "TCP"} in rule["ports"])
    (peer,) = spans["from"]
    labels = {"kubernetes.io/metadata.name": "beacon-test"}
    assert peer == {"namespaceSelector": {"matchLabels": labels}}


def test_the_spans_of_dropped_traces_are_counted() -> None:
    arguments = container(deploy(CollectorGateway), "Deployment")["args"]
    assert f"--feature-gates={COUNT_SPANS}" in arguments
