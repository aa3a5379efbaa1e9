"""What the cluster has, as kubectl tells it."""

import json
from pathlib import Path
from typing import Any

import pytest

from commands.cluster import foreign, namespaces, read
from commands.errors import CommandError
from components.labels import COMMON_LABELS
from tests.unit.commands.cluster import Cluster


def of(cluster: Cluster) -> dict[str, str]:
    return {"PATH": str(cluster.folder)}


def namespace(name: str, uid: str) -> dict[str, Any]:
    return {"kind": "Namespace", "metadata": {"name": name, "uid": uid}}


@pytest.mark.parametrize(
    ("names", "said", "found"),
    [
        (["home"], "", {}),
        (["home"], namespace("home", "1"), {"home": "1"}),
        (["home", "watch"], {"kind": "List", "items": [namespace("watch", "2")]}, {"watch": "2"}),
    ],
    ids=["not there", "one", "several"],
)
def test_a_namespace_that_is_there_has_an_identity(
    cluster: Cluster, names: list[str], said: object, found: dict[str, str]
) -> None:
    cluster.says("get", json.dumps(said) if said else "")
    assert namespaces(names, environment=of(cluster)) == found
    (call,) = cluster.calls()
    assert call[:2] == ["get", "namespaces"]
    assert "--context" not in call


def test_a_namespace_of_somebody_else_is_told_from_the_programs_own(cluster: Cluster) -> None:
    ours, theirs = namespace("home", "1"), namespace("monitoring", "2")
    ours["metadata"]["labels"] = {**COMMON_LABELS, "team": "a"}
    cluster.says("get", json.dumps({"kind": "List", "items": [ours, theirs]}))
    names = {"namespace.name": "home", "network.monitoringNamespace": "monitoring"}
    assert foreign(names, environment=of(cluster)) == ["network.monitoringNamespace"]


def test_a_cluster_that_is_named_is_asked(cluster: Cluster) -> None:
    cluster.says("get", "{}")
    assert read("pods", environment=of(cluster), context="prod") == {}
    (call,) = cluster.calls()
    assert call[:4] == ["--context", "prod", "get", "pods"]


def test_why_a_cluster_does_not_answer_is_said(cluster: Cluster) -> None:
    cluster.says("get", "", "connection refused", 1)
    with pytest.raises(CommandError, match="cannot read what runs: connection refused"):
        read("pods", environment=of(cluster))


def test_without_kubectl_that_is_what_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no kubectl"):
        read("pods", environment={"PATH": str(tmp_path)})
