"""An API server for the plugin's requests."""

import threading
from collections.abc import Iterator

import pytest

from plugins.kubernetes.cluster import Cluster
from plugins.kubernetes.kubeconfig import Access
from tests.unit.plugins.api_server import Server, discovery


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        server.answers["/api"] = [(200, discovery("ConfigMap"))]
        server.answers["/apis"] = [(200, discovery())]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def cluster(server: Server) -> Cluster:
    return Cluster(Access(f"http://127.0.0.1:{server.server_port}"), "test")
