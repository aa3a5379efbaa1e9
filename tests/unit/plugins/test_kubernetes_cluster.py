"""Requests reach an API server that hesitates, and its refusals become errors."""

import threading

import pytest

from plugins.kubernetes.cluster import ApiError, Cluster, UnknownKindError, UnreachableError
from plugins.kubernetes.kubeconfig import Access
from tests.unit.plugins.api_server import Server, discovery

OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}
PATH = "/api/v1/namespaces/n/configmaps/a"


def test_a_server_that_is_busy_or_restarting_is_asked_again(server: Server, cluster: Cluster):
    server.answers[PATH] = [(429, {}), (503, {}), (200, OBJECT)]
    assert cluster.get(cluster.kind("v1", "ConfigMap"), "n", "a") == OBJECT


def test_a_server_that_is_away_for_a_moment_is_waited_for(server: Server, cluster: Cluster):
    kind = cluster.kind("v1", "ConfigMap")
    server.shutdown()
    server.server_close()

    def come_back() -> None:
        with Server(server.server_port) as restarted:
            restarted.answers[PATH] = [(200, OBJECT)]
            restarted.handle_request()

    back = threading.Timer(0.5, come_back)
    back.start()
    assert cluster.get(kind, "n", "a") == OBJECT
    back.join()


def test_a_refusal_is_not_repeated(server: Server, cluster: Cluster):
    kind = cluster.kind("v1", "ConfigMap")
    server.answers[PATH] = [(500, {"message": "failed to create typed patch object"})]
    with pytest.raises(ApiError) as refused:
        cluster.apply(kind, OBJECT, "me", force=False)
    assert refused.value.is_about_content
    assert len([line for line in server.requests if line.startswith("PATCH")]) == 1


def test_applying_names_the_manager_and_refuses_unknown_fields(server: Server, cluster: Cluster):
    server.answers[PATH] = [(200, OBJECT)]
    cluster.apply(cluster.kind("v1", "ConfigMap"), OBJECT, "me", force=False, dry_run=True)
    query = server.requests[-1].partition("?")[2]
    assert query == "fieldManager=me&force=false&fieldValidation=Strict&dryRun=All"


def test_an_object_that_is_not_there_is_none(cluster: Cluster):
    kind = cluster.kind("v1", "ConfigMap")
    assert cluster.get(kind, "n", "a") is None
    assert cluster.delete(kind, "n", "a", "Background") is None


def test_what_remains_of_a_deleted_object_is_told(server: Server, cluster: Cluster):
    kind = cluster.kind("v1", "ConfigMap")
    server.answers[PATH] = [(200, {"kind": "Status"}), (200, OBJECT)]
    assert cluster.delete(kind, "n", "a", "Foreground") is None
    assert cluster.delete(kind, "n", "a", "Foreground") == OBJECT


def test_a_kind_that_was_defined_meanwhile_is_found(
    server: Server, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("plugins.kubernetes.cluster._REDISCOVERY", 0)
    server.answers["/api"] = [(200, discovery("ConfigMap")), (200, discovery("Late"))]
    assert cluster.kind("v1", "ConfigMap").path("n", "a") == PATH
    assert cluster.kind("v1", "Late").plural == "lates"
    with pytest.raises(UnknownKindError, match=r"no matches for kind 'Never' in version 'x/v1'"):
        cluster.kind("x/v1", "Never")


def test_a_missing_namespace_is_told_from_a_missing_object():
    missing = {"message": 'namespaces "n" not found', "details": {"kind": "namespaces"}}
    assert ApiError(missing, 404).namespace_missing
    assert not ApiError({"details": {"kind": "configmaps"}}, 404).namespace_missing


def test_no_answer_is_an_error_that_names_the_server():
    cluster = Cluster(Access("http://127.0.0.1:9"), "test")
    with pytest.raises(UnreachableError, match=r"no answer from http://127\.0\.0\.1:9: .*refused"):
        cluster.kind("v1", "ConfigMap")


def test_a_cluster_without_aggregated_discovery_is_too_old(server: Server, cluster: Cluster):
    server.answers["/api"] = [(200, {"kind": "APIVersions"})]
    with pytest.raises(Exception, match="too old"):
        cluster.kind("v1", "ConfigMap")
