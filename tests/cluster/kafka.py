"""Apache Kafka: one node, which is broker and controller."""

import socket
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Self

from tests.cluster.java_server import jars, java
from tests.cluster.project import wait_until
from tests.cluster.server import free_port

LOOPBACK = "127.0.0.1"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{broker},CONTROLLER://127.0.0.1:{controller}
log.dirs={data}
num.partitions=3
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


class Kafka:
    """A broker. Its data are kept while it is stopped."""

    def __init__(self, folder: Path) -> None:
        self._jars = jars("kafka")
        self._folder = folder
        self._properties = folder / "server.properties"
        self._port = free_port(LOOPBACK)
        self.broker = f"{LOOPBACK}:{self._port}"
        """Host and port."""
        controller = free_port(LOOPBACK)
        self._properties.write_text(
            _PROPERTIES.format(broker=self.broker, controller=controller, data=folder / "data")
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        storage = ("format", "--standalone", "--cluster-id", cluster, "--config", self._properties)
        command = java(self._jars, "256m", "kafka.tools.StorageTool", *storage)
        subprocess.run(command, check=True, capture_output=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        command = java(self._jars, "512m", "kafka.Kafka", self._properties)
        with (self._folder / "kafka.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        wait_until("Kafka", self._is_ready, seconds=400)

    def kill(self) -> None:
        """Kill the server."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self._port), timeout=1).close()
        except OSError:
            return False
        return True
