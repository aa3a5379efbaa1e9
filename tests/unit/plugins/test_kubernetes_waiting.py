"""A wait ends when what it waits for has come, or can no longer come."""

import threading
from typing import Any

import pytest

from plugins.kubernetes.cluster import Cluster, UnknownKindError
from plugins.kubernetes.waiting import Observer
from tests.unit.plugins.api_server import Server, discovery

CUSTOM = {
    "apiVersion": "v1",
    "kind": "Custom",
    "metadata": {"name": "a", "namespace": "n", "uid": "1", "finalizers": ["slow"]},
}
PATH = "/api/v1/namespaces/n/customs"


@pytest.fixture
def observer(server: Server, cluster: Cluster) -> Observer:
    server.answers["/api"] = [(200, discovery("Custom")), (200, discovery())]
    cluster.kind("v1", "Custom")
    return Observer(cluster, threading.Event())


def told(_: str) -> None:
    pass


def test_an_object_is_gone_when_its_kind_is_no_longer_served(observer: Observer) -> None:
    observer.until_gone(CUSTOM, 5, told)


def test_an_object_is_gone_when_its_kind_was_found_to_be_gone_meanwhile(
    observer: Observer, cluster: Cluster
) -> None:
    with pytest.raises(UnknownKindError):
        cluster.kind("v1", "Other")
    observer.until_gone(CUSTOM, 5, told)


def test_an_object_is_gone_when_its_kind_goes_while_it_is_waited_for(
    server: Server, observer: Observer
) -> None:
    listed: dict[str, Any] = {"items": [CUSTOM], "metadata": {"resourceVersion": "7"}}
    server.answers[PATH] = [(200, listed), (404, {})]
    observer.until_gone(CUSTOM, 20, told)
