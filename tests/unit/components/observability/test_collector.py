import re
from typing import Any

import pytest

from components.observability.collector import (
    CollectorAgent,
    CollectorGateway,
    agent_config,
)
from components.versions import IMAGES
from tests.unit.components.observability.servers import args_of, bundled, container, deploy

SINKS = {
    "kafka": {"brokers": ["kafka.queue:9092"], "topic": "lines"},
    "elasticsearch": {"url": "https://search.example.com", "apiKey": "hidden"},
}


def agent(**logs: Any) -> dict[str, Any]:
    return agent_config(args_of(bundled(observability={"logs": logs})))


def operator(kind: str) -> dict[str, Any]:
    operators = agent()["receivers"]["filelog/loki"]["operators"]
    return next(one for one in operators if one["type"] == kind)


def test_only_pods_of_the_services_namespace_may_send_spans() -> None:
    rules = deploy(CollectorGateway).one("NetworkPolicy")["spec"]["ingress"]
    spans = next(rule for rule in rules if {"port": 4318, "protocol": "TCP"} in rule["ports"])
    (peer,) = spans["from"]
    labels = {"kubernetes.io/metadata.name": "beacon-test"}
    assert peer == {"namespaceSelector": {"matchLabels": labels}}


def test_every_exporter_has_a_persistent_queue_and_unlimited_retries() -> None:
    for name, exporter in agent(**SINKS)["exporters"].items():
        queue = exporter["sending_queue"]
        assert queue["storage"] == "file_storage", name
        assert queue["block_on_overflow"] is True
        if name != "elasticsearch":
            assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"


def test_read_offsets_survive_a_crash_of_the_node() -> None:
    config = agent()
    assert config["extensions"]["file_storage"]["fsync"] is True
    receiver = config["receivers"]["filelog/loki"]
    assert receiver["storage"] == "file_storage"
    assert receiver["start_at"] == "beginning"
    assert receiver["retry_on_failure"]["max_elapsed_time"] == "0s"


def test_no_processor_buffers_lines_in_memory() -> None:
    (pipeline,) = agent()["service"]["pipelines"].values()
    assert "batch" not in pipeline["processors"]


def test_every_exporter_has_its_own_pipeline_and_receiver() -> None:
    pipelines = agent(**SINKS)["service"]["pipelines"]
    assert set(pipelines) == {"logs/loki", "logs/kafka", "logs/elasticsearch"}
    receivers = [name for one in pipelines.values() for name in one["receivers"]]
    assert len(set(receivers)) == len(receivers) == 3


def test_the_agent_reads_logs_of_the_stacks_namespaces_only() -> None:
    include = agent()["receivers"]["filelog/loki"]["include"]
    assert {path.split("/")[4].removesuffix("_*") for path in include} == {
        *("beacon-test", "ingress", "kube-system", "monitoring", "monitoring-node")
    }


def matches(expression: str, line: str) -> bool:
    """Return whether ``body matches "…"`` is true: the pattern is the same in Go and Python."""
    (pattern,) = re.findall(r'body matches "((?:[^"\\]|\\.)*)"', expression)
    return bool(re.search(pattern.replace("\\\\", "\\"), line))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\tat com.example.Main(Main.java:1)",
        "    indented",
        "goroutine 1 [running]:",
        "main.main()",
        "main.(*server).serve(0xc0000b2000, {0x1, 0x2})",
        "net/http.HandlerFunc.ServeHTTP(0x14, {0x5, 0x6}, 0x7)",
        "panic({0x4a2f20?, 0x4f1c30?})",
        "created by net/http.(*Server).Serve in goroutine 1",
        "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x0]",
        "Caused by: java.io.IOException",
        "exit status 2",
    ],
)
def test_lines_of_a_stack_trace_are_joined_to_the_first(line: str) -> None:
    assert matches(operator("recombine")["is_first_entry"], line)
    assert operator("recombine")["is_first_entry"].startswith("not (")


@pytest.mark.parametrize(
    "line",
    [
        "line 17 of 10000",
        "panic: runtime error: index out of range",
        "I1121 12:00:00.000000 1 main.go:1] started",
        "2026-11-21T12:00:00Z something happened (twice)",
        'level=info msg="ready (1)"',
        "[INFO] plugin/reload: Running",
        '{"level": "info", "unfinished',
    ],
)
def test_other_lines_are_not_joined(line: str) -> None:
    assert not matches(operator("recombine")["is_first_entry"], line)


def test_json_lines_skip_the_joining() -> None:
    shape = operator("router")
    (route,) = shape["routes"]
    assert (route["output"], shape["default"]) == ("json", operator("recombine")["id"])
    assert operator("json_parser")["id"] == "json"
    assert matches(route["expr"], '{"level":"info"}')
    assert not matches(route["expr"], "text")


def test_the_contrib_image_is_only_used_with_a_sink() -> None:
    def image(**logs: Any) -> str:
        return container(deploy(CollectorAgent, logs=logs), "DaemonSet")["image"]

    assert image() == IMAGES["collector"]
    assert image(kafka=SINKS["kafka"]) == IMAGES["collectorContrib"]


def test_a_sinks_api_key_is_only_in_the_secret_and_egress_to_its_port_is_allowed() -> None:
    registry = deploy(CollectorAgent, logs=SINKS)
    assert registry.secret() == {"elasticsearch": "hidden"}
    text = registry.one("ConfigMap")["data"]["collector.yaml"]
    assert "hidden" not in text
    ports = [
        sorted(port["port"] for port in rule["ports"])
        for rule in registry.one("NetworkPolicy")["spec"]["egress"]
        if "to" not in rule
    ]
    assert [443, 9092] in ports


def test_a_sinks_api_key_is_read_from_a_file_so_that_it_can_be_rotated() -> None:
    found = agent(**SINKS)
    authenticator = found["exporters"]["elasticsearch"]["auth"]["authenticator"]
    assert found["extensions"][authenticator] == {
        "scheme": "ApiKey",
        "filename": "/run/secrets/server/elasticsearch",
    }
    assert authenticator in found["service"]["extensions"]


def test_a_sink_without_an_api_key_has_no_authenticator() -> None:
    found = agent(elasticsearch={"url": "https://search.example.com"})
    assert "auth" not in found["exporters"]["elasticsearch"]
    assert set(found["extensions"]) == {*found["service"]["extensions"]}
    assert set(found["extensions"]) == {"health_check", "file_storage"}


def test_the_agent_is_root_without_capabilities_in_the_node_namespace() -> None:
    registry = deploy(CollectorAgent)
    pod = registry.one("DaemonSet")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 0
    assert pod["securityContext"]["runAsNonRoot"] is False
    assert container(registry, "DaemonSet")["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert registry.one("DaemonSet")["metadata"]["namespace"] == "monitoring-node"
