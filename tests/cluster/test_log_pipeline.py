"""Log lines reach Loki and Elasticsearch through Kafka, also those of an outage of Kafka.

The collectors are processes of this machine, with the configuration of their pods.
"""

import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from components.observability.addresses import LOKI
from components.observability.collector_agent import agent_config
from components.observability.log_consumer import consumer_config
from tests.cluster.bulk_api import BulkApi, Document
from tests.cluster.kafka import LOOPBACK, Kafka
from tests.cluster.project import wait_until
from tests.cluster.server import build, free_port, start
from tests.manifests.test_log_agent import make_log_folder
from tests.manifests.test_log_retention import Loki
from tests.unit.components.observability.servers import args_of, bundled

pytestmark = pytest.mark.timeout(1800)

LINES = 10_000
LINES_PER_SECOND = 100
OUTAGE_SECONDS = 60
SECONDS = 400
"""Longest wait for lines to arrive."""
INDEX = "lines"
SHORT_QUEUE = 5
"""Batches of up to 100 lines."""
NAMESPACE = "beacon-test"

Config = dict[str, Any]


class Collector:
    """A collector process."""

    def __init__(self, name: str, config: Config, folder: Path) -> None:
        self._port = free_port(LOOPBACK)
        config["extensions"]["health_check"]["endpoint"] = f"{LOOPBACK}:{free_port(LOOPBACK)}"
        (reader,) = config["service"]["telemetry"]["metrics"]["readers"]
        reader["pull"]["exporter"]["prometheus"] = {"host": LOOPBACK, "port": self._port}
        self._file, self._log = folder / f"{name}.yaml", folder / f"{name}.log"
        self._file.write_text(yaml.safe_dump(config))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Collector":
        self._process = start("otelcol-k8s", "--config", self._file, log=self._log)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        self._process.terminate()
        self._process.wait()

    def metric(self, name: str) -> float:
        """Return the sum of a metric of the collector itself; 0 if it does not have it yet."""
        assert self._process
        assert self._process.poll() is None, self._log.read_text()[-3000:]
        try:
            text = httpx.get(f"http://{LOOPBACK}:{self._port}/metrics", timeout=30).text
        except httpx.HTTPError:
            return 0
        values = re.findall(rf"(?m)^otelcol_{name}(?:_total)?(?:\{{.*\}})? (\S+)$", text)
        return sum(map(float, values))


@dataclass(frozen=True)
class Pipeline:
    """The servers, and the folder of the logs and the state of an agent."""

    kafka: Kafka
    elasticsearch: BulkApi
    loki: Loki

    def agent(self, folder: Path) -> Config:
        """Configuration of the agent."""
        text = yaml.safe_dump(agent_config(args_of(self._stack)))
        text = text.replace("/var/log/pods", f"{folder}/pods")
        config: Config = yaml.safe_load(text.replace("/var/lib/otelcol", str(folder)))
        # It needs the API server.
        del config["processors"]["k8sattributes"]
        config["service"]["pipelines"]["logs/kafka"]["processors"].remove("k8sattributes")
        return config

    def consumer(self) -> Config:
        """Configuration of the consumer."""
        logs = self._stack.observability.logs
        assert logs.kafka
        config = consumer_config(logs, logs.kafka, "monitoring")
        endpoint = config["exporters"]["otlphttp/loki"]["endpoint"]
        local = endpoint.replace(LOKI.url("monitoring"), self.loki.url)
        config["exporters"]["otlphttp/loki"]["endpoint"] = local
        return config

    @property
    def _stack(self) -> Any:
        kafka = {"brokers": [self.kafka.broker], "topic": "lines"}
        elasticsearch = {"url": self.elasticsearch.url, "index": INDEX}
        logs = {"transport": "kafka", "kafka": kafka, "elasticsearch": elasticsearch}
        return bundled(observability={"logs": logs})

    def in_loki(self, name: str) -> Counter[int]:
        """Return how often Loki has each of the numbered lines ``name``."""
        texts = [
            text
            for digit in range(10)
            for text in self.loki.texts(f'{{service_name="{name}"}} |~ "{name} [0-9]*{digit} of"')
        ]
        return numbers(name, texts)

    def in_elasticsearch(self, name: str) -> Counter[int]:
        """Return how often Elasticsearch has each of the numbered lines ``name``."""
        texts = [document["body"]["text"] for document in self.elasticsearch.documents]
        return numbers(name, texts)


def numbers(name: str, texts: list[str]) -> Counter[int]:
    return Counter(int(found[1]) for one in texts if (found := re.match(rf"{name} (\d+) of", one)))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    for program in ("loki", "otelcol-k8s"):
        build(program)
    with ExitStack() as stack:
        kafka = stack.enter_context(Kafka(tmp_path_factory.mktemp("kafka")))
        elasticsearch = stack.enter_context(BulkApi(INDEX))
        loki = Loki(tmp_path_factory.mktemp("loki"))
        loki.start()
        stack.callback(loki.stop)
        pipeline = Pipeline(kafka, elasticsearch, loki)
        folder = tmp_path_factory.mktemp("consumer")
        stack.enter_context(Collector("consumer", pipeline.consumer(), folder))
        yield pipeline


def log_file(folder: Path, name: str) -> Path:
    """Path of the log of a container, in the folder of the node's logs."""
    return make_log_folder(folder / "pods", f"{NAMESPACE}_{name}", name) / "0.log"


def write(file: Path, texts: list[str]) -> None:
    """Append lines in the format of the container runtime."""
    with file.open("a") as log:
        for text in texts:
            now = datetime.now(UTC).isoformat().replace("+00:00", "000Z")
            log.write(f"{now} stdout F {text}\n")


def write_steadily(file: Path, name: str) -> None:
    for first in range(1, LINES, LINES_PER_SECOND):
        following = range(first, first + LINES_PER_SECOND)
        write(file, [f"{name} {number} of {LINES}" for number in following])
        time.sleep(1)


def duplicates(seen: Counter[int]) -> int:
    return sum(times - 1 for times in seen.values())


def test_no_line_is_lost_while_kafka_is_down_for_a_minute(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    file = log_file(tmp_path, "numbered")
    writer = threading.Thread(target=write_steadily, args=(file, "numbered"))
    with Collector("agent", pipeline.agent(tmp_path), tmp_path) as agent:
        writer.start()
        time.sleep(15)
        pipeline.kafka.kill()
        down = time.monotonic()
        time.sleep(OUTAGE_SECONDS - 10)
        waiting = agent.metric("exporter_queue_size")
        time.sleep(max(0.0, OUTAGE_SECONDS - (time.monotonic() - down)))
        pipeline.kafka.start()
        down = time.monotonic() - down
        writer.join()
        every = set(range(1, LINES + 1))
        for place in (pipeline.in_loki, pipeline.in_elasticsearch):
            wait_until(place.__name__, lambda place=place: set(place("numbered")) >= every, SECONDS)
        lost = agent.metric("exporter_send_failed_log_records")
    in_loki, in_elasticsearch = pipeline.in_loki("numbered"), pipeline.in_elasticsearch("numbered")
    print(
        f"Kafka was down for {down:.0f} s, {waiting:.0f} batches were waiting; {LINES} lines, "
        f"{LINES - len(in_loki)} lost in Loki, {LINES - len(in_elasticsearch)} in Elasticsearch; "
        f"duplicates: {duplicates(in_loki)}, {duplicates(in_elasticsearch)}"
    )
    assert set(in_loki) == set(in_elasticsearch) == every
    assert waiting > 0, "the agent had no lines in its queue during the outage"
    assert lost == 0
    # Delivery is at least once: a batch whose acknowledgement was lost is sent again.
    assert duplicates(in_elasticsearch) <= LINES // 10


def test_a_full_queue_stops_the_agent_from_reading_and_drops_nothing(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    lines = 3_000
    write(
        log_file(tmp_path, "full"), [f"full {number} of {lines}" for number in range(1, 1 + lines)]
    )
    config = pipeline.agent(tmp_path)
    config["exporters"]["kafka"]["sending_queue"]["queue_size"] = SHORT_QUEUE
    pipeline.kafka.kill()
    # It starts although Kafka is down.
    with Collector("agent", config, tmp_path) as agent:
        wait_until(
            "a full queue", lambda: agent.metric("exporter_queue_size") >= SHORT_QUEUE, SECONDS
        )
        time.sleep(10)
        read = agent.metric("receiver_accepted_log_records")
        pipeline.kafka.start()
        every = set(range(1, 1 + lines))
        wait_until("the lines", lambda: set(pipeline.in_elasticsearch("full")) == every, SECONDS)
        assert agent.metric("exporter_enqueue_failed_log_records") == 0
    print(f"{read:.0f} of {lines} lines were read before Kafka was back")
    assert read < lines


def test_lines_wait_in_kafka_while_loki_is_down(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.loki.stop()
    trace = "0123456789abcdef0123456789abcdef"
    line = f'{{"level":"error","message":"of a trace","trace_id":"{trace}"}}'
    write(log_file(tmp_path, "traced"), [line, "traced 1 of 1"])
    with Collector("agent", pipeline.agent(tmp_path), tmp_path):
        # The consumer group of Elasticsearch does not wait for that of Loki.
        wait_until("the document", lambda: bool(of_trace(pipeline, trace)), SECONDS)
        pipeline.loki.start()
        wait_until("the line in Loki", lambda: pipeline.in_loki("traced") == {1: 1}, SECONDS)
    (document,) = of_trace(pipeline, trace)
    assert document["body"]["text"] == line
    assert document["severity_number"] == 17
    assert document["resource"]["attributes"]["k8s.pod.name"] == "traced"
    assert document["resource"]["attributes"]["k8s.namespace.name"] == NAMESPACE
    assert pipeline.elasticsearch.refused == []


def of_trace(pipeline: Pipeline, trace: str) -> list[Document]:
    return [one for one in pipeline.elasticsearch.documents if one.get("trace_id") == trace]
