"""Objects of the cluster, from a fake kubectl."""

import json
from pathlib import Path
from typing import Any

import pytest

from commands.errors import CommandError
from commands.kubectl import (
    annotate_pods,
    api_server_addresses,
    get,
    image_digests,
    namespace_uids,
)
from tests.unit.commands.fake_kubectl import Cluster


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
    ids=["none", "one", "several"],
)
def test_each_existing_namespace_has_a_uid(
    cluster: Cluster, names: list[str], said: object, found: dict[str, str]
) -> None:
    cluster.kubectl_prints("get", json.dumps(said) if said else "")
    assert namespace_uids(names, environment=of(cluster)) == found
    (call,) = cluster.calls()
    assert call[:2] == ["get", "namespaces"]
    assert "--context" not in call


def replica_set(image: str, sidecar: str = "proxy:1@sha256:other") -> dict[str, Any]:
    containers = [{"name": "proxy", "image": sidecar}, {"name": "beacon", "image": image}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def test_the_digests_that_a_service_has_run_are_those_of_its_replica_sets(
    cluster: Cluster,
) -> None:
    image = "localhost:5000/slipway/beacon"
    images = (f"{image}:1.0.0@sha256:a", f"{image}:1.1.0@sha256:b", f"{image}:1.0.0@sha256:c")
    items = [replica_set(one) for one in (*images, f"{image}:2.0.0")]
    cluster.kubectl_prints("get", json.dumps({"items": items}))
    digests = image_digests("home", "beacon", environment=of(cluster))
    assert digests == {"1.0.0": "sha256:c", "1.1.0": "sha256:b"}
    (call,) = cluster.calls()
    assert call[:4] == ["get", "replicasets", "--namespace", "home"]


def test_without_a_cluster_no_digest_is_known(cluster: Cluster) -> None:
    cluster.kubectl_prints("get", "", "connection refused", 1)
    assert image_digests("home", "beacon", environment=of(cluster)) == {}


def test_the_api_server_has_the_addresses_of_its_endpoints(cluster: Cluster) -> None:
    slices = [{"endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]}, {}]
    cluster.kubectl_prints("get", json.dumps({"items": slices}))
    assert api_server_addresses(environment=of(cluster)) == ["10.0.0.1", "10.0.0.2"]


def test_the_context_is_passed_to_kubectl(cluster: Cluster) -> None:
    cluster.kubectl_prints("get", "{}")
    assert get("pods", environment=of(cluster), context="prod") == {}
    (call,) = cluster.calls()
    assert call[:4] == ["--context", "prod", "get", "pods"]


def test_an_error_of_kubectl_is_in_the_message(cluster: Cluster) -> None:
    cluster.kubectl_prints("get", "", "connection refused", 1)
    with pytest.raises(CommandError, match="cannot read the cluster: connection refused"):
        get("pods", environment=of(cluster))


def test_a_pod_that_is_deleted_while_it_is_annotated_is_left_out(cluster: Cluster) -> None:
    gone = 'Error from server (NotFound): pods "front-1" not found'
    cluster.kubectl_prints("annotate", "", gone, 1)
    annotate_pods("shop", {}, {"a": "b"}, environment=of(cluster))
    cluster.kubectl_prints("annotate", "", f"{gone}\nconnection refused", 1)
    with pytest.raises(CommandError, match="connection refused"):
        annotate_pods("shop", {}, {"a": "b"}, environment=of(cluster))


def test_a_missing_kubectl_is_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="kubectl is not in PATH"):
        get("pods", environment={"PATH": str(tmp_path)})
