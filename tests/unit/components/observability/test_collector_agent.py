from typing import Any

from components.observability.collector_agent import CollectorAgent, agent_config
from components.versions import server_image
from tests.unit.components.observability.servers import args_of, bundled, container, deploy

SINKS = {
    "kafka": {"brokers": ["kafka.queue:9092"], "topic": "lines"},
    "elasticsearch": {"url": "https://search.example.com", "apiKey": "hidden"},
}


def agent(**logs: Any) -> dict[str, Any]:
    return agent_config(args_of(bundled(observability={"logs": logs})))


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


def test_with_kafka_as_transport_the_agent_sends_to_kafka_only() -> None:
    config = agent(transport="kafka", **SINKS)
    assert set(config["exporters"]) == {"kafka"}
    registry = deploy(CollectorAgent, logs={"transport": "kafka", **SINKS})
    assert registry.named("Secret") == set()
    egress = registry.one("NetworkPolicy")["spec"]["egress"]
    assert [rule for rule in egress if "to" not in rule] == [
        {"ports": [{"port": 9092, "protocol": "TCP"}]}
    ]
    assert "loki" not in str(egress)


def test_the_exporters_start_and_wait_while_a_server_is_down() -> None:
    exporters = agent(**SINKS)["exporters"]
    assert exporters["kafka"]["metadata"]["full"] is False
    # The default buffer of this exporter is in memory, and it drops lines after its timeout.
    assert exporters["elasticsearch"]["batcher"] == {"enabled": False}
    assert exporters["elasticsearch"]["timeout"] == "0s"
    assert 503 in exporters["elasticsearch"]["retry"]["retry_on_status"]


def test_the_agent_reads_logs_of_the_stacks_namespaces_only() -> None:
    include = agent()["receivers"]["filelog/loki"]["include"]
    assert {path.split("/")[4].removesuffix("_*") for path in include} == {
        *("beacon-test", "ingress", "kube-system", "monitoring", "monitoring-node")
    }


def test_the_contrib_image_is_only_used_with_a_sink() -> None:
    def image(**logs: Any) -> str:
        return container(deploy(CollectorAgent, logs=logs), "DaemonSet")["image"]

    assert image() == server_image("collector")
    assert image(kafka=SINKS["kafka"]) == server_image("collectorContrib")


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
