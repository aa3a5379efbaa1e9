"""What becomes of a line and of a span, and that none is lost on the way."""

import re
from typing import Any

import pytest

from components.observability.collector import (
    CollectorAgent,
    CollectorGateway,
    agent_config,
    gateway_config,
)
from components.versions import IMAGES
from tests.unit.components.observability.made import bundled, container, made, server_args

SINKS = {
    "kafka": {"brokers": ["kafka.queue:9092"], "topic": "lines"},
    "elasticsearch": {"url": "https://search.example.com", "apiKey": "hidden"},
}


def agent(**logs: Any) -> dict[str, Any]:
    return agent_config(server_args(bundled(observability={"logs": logs})))


def operator(kind: str, found_in: dict[str, Any] | None = None) -> dict[str, Any]:
    operators = (found_in or agent())["receivers"]["filelog/loki"]["operators"]
    return next(one for one in operators if one["type"] == kind)


def test_spans_go_to_jaeger_with_what_kubernetes_knows_of_their_pod() -> None:
    config = gateway_config("monitoring")
    pipeline = config["service"]["pipelines"]["traces"]
    assert pipeline["processors"] == ["memory_limiter", "k8sattributes", "batch"]
    assert config["exporters"]["otlp"]["endpoint"] == "jaeger.monitoring.svc:4317"
    assert config["exporters"]["otlp"]["retry_on_failure"]["enabled"] is True


def test_only_the_services_pods_bring_spans() -> None:
    rules = made(CollectorGateway).one("NetworkPolicy")["spec"]["ingress"]
    spans = next(rule for rule in rules if {"port": 4318, "protocol": "TCP"} in rule["ports"])
    (peer,) = spans["from"]
    labels = {"kubernetes.io/metadata.name": "beacon-test"}
    assert peer == {"namespaceSelector": {"matchLabels": labels}}


def test_every_line_waits_on_disk_and_is_tried_again_without_end() -> None:
    for name, exporter in agent(**SINKS)["exporters"].items():
        queue = exporter["sending_queue"]
        assert queue["storage"] == "file_storage", name
        assert queue["block_on_overflow"] is True
        if name != "elasticsearch":
            assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"


def test_how_far_a_file_was_read_survives_a_crash_of_the_node() -> None:
    config = agent()
    assert config["extensions"]["file_storage"]["fsync"] is True
    receiver = config["receivers"]["filelog/loki"]
    assert receiver["storage"] == "file_storage"
    assert receiver["start_at"] == "beginning"
    assert receiver["retry_on_failure"]["max_elapsed_time"] == "0s"


def test_no_processor_holds_lines_in_memory() -> None:
    (pipeline,) = agent()["service"]["pipelines"].values()
    assert "batch" not in pipeline["processors"]


def test_a_sink_that_is_away_holds_up_no_other() -> None:
    pipelines = agent(**SINKS)["service"]["pipelines"]
    assert set(pipelines) == {"logs/loki", "logs/kafka", "logs/elasticsearch"}
    receivers = [name for one in pipelines.values() for name in one["receivers"]]
    assert len(set(receivers)) == len(receivers) == 3


def test_only_the_stacks_own_namespaces_are_read() -> None:
    include = agent()["receivers"]["filelog/loki"]["include"]
    assert {path.split("/")[4].removesuffix("_*") for path in include} == {
        *("beacon-test", "ingress", "kube-system", "monitoring", "monitoring-node")
    }


def test_what_carries_lines_is_not_read_itself() -> None:
    assert agent()["receivers"]["filelog/loki"]["exclude"] == [
        "/var/log/pods/monitoring-node_collector-agent-*/*/*.log{,.????????-??????}",
        "/var/log/pods/monitoring_loki-*/*/*.log{,.????????-??????}",
    ]


def matches(expression: str, line: str) -> bool:
    """What ``body matches "…"`` says of a line; the pattern means the same in Go and here."""
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
def test_the_rest_of_a_stack_trace_stays_with_its_beginning(line: str) -> None:
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
def test_other_lines_stand_alone(line: str) -> None:
    assert not matches(operator("recombine")["is_first_entry"], line)


def test_a_line_of_json_is_never_held_back() -> None:
    shape = operator("router")
    (route,) = shape["routes"]
    assert (route["output"], shape["default"]) == ("json", operator("recombine")["id"])
    assert operator("json_parser")["id"] == "json"
    assert matches(route["expr"], '{"level":"info"}')
    assert not matches(route["expr"], "text")


def test_the_body_stays_as_it_was_written_and_a_malformed_one_too() -> None:
    parser = operator("json_parser")
    assert parser["parse_to"] == "attributes.line"
    assert parser["on_error"] == "send_quiet"


def test_level_and_trace_are_beside_the_line() -> None:
    assert operator("severity_parser")["parse_from"] == "attributes.line.level"
    assert operator("move")["to"] == "attributes.level"
    trace = operator("trace_parser")
    assert trace["trace_id"] == {"parse_from": "attributes.line.trace_id"}
    assert trace["span_id"] == {"parse_from": "attributes.line.span_id"}


def test_service_track_and_version_are_the_pods_labels() -> None:
    labels = agent()["processors"]["k8sattributes"]["extract"]["labels"]
    assert {one["tag_name"]: one["key"] for one in labels} == {
        "service.name": "app.kubernetes.io/name",
        "version": "app.kubernetes.io/version",
        "track": "track",
    }


def test_the_image_with_all_exporters_is_taken_only_where_there_is_a_sink() -> None:
    def image(**logs: Any) -> str:
        return container(made(CollectorAgent, logs=logs), "DaemonSet")["image"]

    assert image() == IMAGES["collector"]
    assert image(kafka=SINKS["kafka"]) == IMAGES["collectorContrib"]


def test_a_sinks_key_is_a_file_and_its_port_is_let_through() -> None:
    registry = made(CollectorAgent, logs=SINKS)
    assert registry.secret() == {"elasticsearch": "hidden"}
    text = registry.one("ConfigMap")["data"]["collector.yaml"]
    assert "hidden" not in text
    ports = [
        sorted(port["port"] for port in rule["ports"])
        for rule in registry.one("NetworkPolicy")["spec"]["egress"]
        if "to" not in rule
    ]
    assert [443, 9092] in ports


def test_a_sinks_key_is_read_again_when_it_changes() -> None:
    found = agent(**SINKS)
    authenticator = found["exporters"]["elasticsearch"]["auth"]["authenticator"]
    assert found["extensions"][authenticator] == {
        "scheme": "ApiKey",
        "filename": "/run/secrets/server/elasticsearch",
    }
    assert authenticator in found["service"]["extensions"]


def test_a_sink_that_asks_for_no_key_is_sent_none() -> None:
    found = agent(elasticsearch={"url": "https://search.example.com"})
    assert "auth" not in found["exporters"]["elasticsearch"]
    assert set(found["extensions"]) == {*found["service"]["extensions"]}
    assert set(found["extensions"]) == {"health_check", "file_storage"}


def test_the_agent_is_root_for_the_files_sake_and_has_no_capabilities() -> None:
    registry = made(CollectorAgent)
    pod = registry.one("DaemonSet")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 0
    assert pod["securityContext"]["runAsNonRoot"] is False
    assert container(registry, "DaemonSet")["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert registry.one("DaemonSet")["metadata"]["namespace"] == "monitoring-node"
