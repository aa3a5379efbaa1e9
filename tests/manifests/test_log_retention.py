"""Loki with the deployed configuration deletes logs after their retention."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from components.observability.loki import config_text
from local.layout import Layout
from settings import LogsSettings
from tests.cluster.project import wait_until
from tests.manifests.conftest import free_port, run

pytestmark = pytest.mark.timeout(400)

DAY = 24 * 3600
NANOSECONDS = 10**9


class Loki:
    """Loki process with the deployed configuration, but with other paths, ports and intervals."""

    def __init__(self, folder: Path) -> None:
        self.chunks = folder / "chunks" / "fake"
        self._file, self._log = folder / "loki.yaml", folder / "log"
        text = config_text(LogsSettings(retention_days=1))
        http, grpc = str(free_port()), str(free_port())
        for old, new in (("/loki", str(folder)), ("3100", http), ("9095", grpc)):
            text = text.replace(old, new)
        config: dict[str, Any] = yaml.safe_load(text)
        config["server"] |= {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": int(http),
            "grpc_listen_port": int(grpc),
        }
        config["compactor"] |= {"compaction_interval": "2s", "retention_delete_delay": "1s"}
        # Only chunks on disk are deleted.
        config["ingester"]["wal"]["flush_on_shutdown"] = True
        self._file.write_text(yaml.safe_dump(config))
        self.url = f"http://127.0.0.1:{http}"
        self._client = httpx.Client(base_url=self.url, timeout=30)

    def start(self) -> None:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [Layout().bin / "loki", f"-config.file={self._file}"], stdout=log, stderr=log
            )
        wait_until("Loki to be ready", self._is_ready, 120)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()[-3000:]
        try:
            return self._client.get("/ready").status_code == 200
        except httpx.TransportError:
            return False

    def push(self, name: str, age: float) -> httpx.Response:
        """Push a line of the service ``name`` that is ``age`` seconds old."""
        at = time.time_ns() - int(age * NANOSECONDS)
        stream = {"stream": {"service_name": name}, "values": [[str(at), f"a line of {name}"]]}
        return self._client.post("/loki/api/v1/push", json={"streams": [stream]})

    def lines(self, name: str) -> int:
        """Number of lines of the service ``name``."""
        return len(self.texts(f'{{service_name="{name}"}}'))

    def texts(self, query: str) -> list[str]:
        """Lines that a query finds, at most 5,000."""
        now = time.time_ns()
        response = self._client.get(
            "/loki/api/v1/query_range",
            params={
                "query": query,
                "limit": 5000,
                "start": now - 2 * DAY * NANOSECONDS,
                "end": now,
            },
        )
        assert response.status_code == 200, response.text
        streams = json.loads(response.text)["data"]["result"]
        return [text for stream in streams for _, text in stream["values"]]

    def chunk_count(self) -> int:
        """Number of chunks on disk."""
        return sum(1 for path in self.chunks.rglob("*") if path.is_file())


@pytest.fixture
def loki(tmp_path: Path) -> Iterator[Loki]:
    built = run(sys.executable, "-m", "local", "build", "loki")
    assert built.returncode == 0, built.stderr
    loki = Loki(tmp_path)
    loki.start()
    yield loki
    loki.stop()


def test_logs_are_deleted_after_their_retention_and_not_before(loki: Loki) -> None:
    assert loki.push("too-old", age=DAY + 60).status_code == 400
    assert loki.push("old", age=DAY - 60).status_code == 204
    assert loki.push("new", age=1).status_code == 204
    loki.stop()
    loki.start()
    assert loki.chunk_count() == 2
    assert loki.lines("old") == 1
    wait_until("the old line's chunk to be deleted", lambda: loki.chunk_count() == 1, 200)
    assert loki.lines("new") == 1
