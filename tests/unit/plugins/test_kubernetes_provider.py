"""The engine's questions about an object are answered as Pulumi's own plugin answers them."""

import json
from typing import Any
from unittest.mock import Mock

import pytest
from pulumi.runtime.proto import provider_pb2

from plugins.kubernetes import state
from plugins.kubernetes.provider import KubernetesProvider
from plugins.server import InitializationError, PluginError
from plugins.values import from_struct, to_struct
from tests.unit.plugins.api_server import Server, discovery

VOLUME = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "a", "namespace": "n", "uid": "1"},
    "spec": {},
}
JOBS = "/apis/batch/v1/namespaces/n/jobs"


def kubeconfig(server: str) -> str:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "current-context": "c",
    }
    return json.dumps(config)


def configured(server: str) -> KubernetesProvider:
    provider = KubernetesProvider("4.0.0")
    provider.engine = Mock()
    variables = {"kubernetes:config:kubeconfig": kubeconfig(server)}
    provider.Configure(provider_pb2.ConfigureRequest(variables=variables), Mock())
    return provider


@pytest.fixture
def provider(server: Server) -> KubernetesProvider:
    server.answers["/api"] = [
        (200, discovery("Namespace", "Node", "ConfigMap", "PersistentVolume"))
    ]
    server.answers["/apis"] = [(200, discovery("Job", group="batch"))]
    return configured(f"http://127.0.0.1:{server.server_port}")


def urn(kind: str) -> str:
    return f"urn:pulumi:dev::test::kubernetes:{kind}::it"


def job(cpu: object, *, name: str = "a", **pod: object) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "main", "resources": {"limits": {"cpu": cpu}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "n"},
        "spec": {"template": {"spec": {"containers": [container], **pod}}},
    }


def diff(
    provider: KubernetesProvider, inputs: dict[str, Any], live: dict[str, Any], news: dict[str, Any]
) -> provider_pb2.DiffResponse:
    request = provider_pb2.DiffRequest(
        urn=urn("batch/v1:Job"),
        olds=to_struct(state.checkpoint(inputs, live, "batch/v1", "pulumi-kubernetes-1")),
        news=to_struct(news),
    )
    return provider.Diff(request, Mock())


def test_another_way_to_write_the_same_replaces_nothing(
    server: Server, provider: KubernetesProvider
) -> None:
    written, live = job("1000m", volumes=[]), job("1")
    server.answers[f"{JOBS}/a"] = [(200, live)]
    answer = diff(provider, written, live, written)
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert not answer.replaces


def test_a_field_that_is_fixed_takes_a_new_object_whether_the_dry_run_is_refused_or_not(
    server: Server, provider: KubernetesProvider
) -> None:
    answers = [(422, {"message": "field is immutable"}), (200, job("2"))]
    for answer in answers:
        server.answers[f"{JOBS}/a"] = [answer]
        found = diff(provider, job("1"), job("1"), job("2"))
        assert list(found.replaces) == [
            "spec.template.spec.containers[0].resources.limits.cpu",
        ]
        assert found.deleteBeforeReplace


def test_an_object_of_another_name_is_not_compared_by_a_dry_run(
    server: Server, provider: KubernetesProvider
) -> None:
    found = diff(provider, job("1"), job("1"), job("1", name="b"))
    assert list(found.replaces) == ["metadata.name"]
    assert not found.deleteBeforeReplace
    assert not [line for line in server.requests if line.startswith("PATCH")]


def read(provider: KubernetesProvider, live: dict[str, Any]) -> provider_pb2.ReadResponse:
    version = live["apiVersion"]
    module = version if "/" in version else f"core/{version}"
    request = provider_pb2.ReadRequest(
        urn=urn(f"{module}:{live['kind']}"),
        id="n/a",
        properties=to_struct(state.checkpoint(live, live, version, "pulumi-kubernetes-1")),
        inputs=to_struct(live),
    )
    return provider.Read(request, Mock())


def test_a_refresh_makes_no_error_of_a_released_volume(
    server: Server, provider: KubernetesProvider
) -> None:
    released = {**VOLUME, "status": {"phase": "Released"}}
    server.answers["/api/v1/namespaces/n/persistentvolumes/a"] = [(200, released)]
    assert read(provider, VOLUME).id == "n/a"


def test_a_refresh_makes_an_error_of_a_job_that_failed(
    server: Server, provider: KubernetesProvider
) -> None:
    ended = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}
    failed = {**job("1"), "status": {"conditions": [ended]}}
    server.answers[f"{JOBS}/a"] = [(200, failed)]
    with pytest.raises(InitializationError, match="DeadlineExceeded"):
        read(provider, job("1"))


@pytest.mark.parametrize(("kind", "is_left"), [("batch/v1/Job", True), ("v1/ConfigMap", False)])
def test_what_is_not_to_be_waited_for_is_still_seen_gone_unless_it_runs_pods(
    server: Server, provider: KubernetesProvider, kind: str, is_left: bool
) -> None:
    version, _, name = kind.rpartition("/")
    metadata: dict[str, Any] = {"name": "a", "namespace": "n", "uid": "1", "resourceVersion": "1"}
    metadata["annotations"] = {"pulumi.com/skipAwait": "true"}
    live = {"apiVersion": version, "kind": name, "metadata": metadata}
    module = version if "/" in version else f"core/{version}"
    path = JOBS if is_left else "/api/v1/namespaces/n/configmaps"
    server.answers[f"{path}/a"] = [(200, live)]
    server.answers[path] = [(200, {"items": [live], "metadata": {"resourceVersion": "1"}})]
    request = provider_pb2.DeleteRequest(
        urn=urn(f"{module}:{name}"),
        properties=to_struct(state.checkpoint(live, live, version, "pulumi-kubernetes-1")),
        timeout=0.1,
    )
    if is_left:
        provider.Delete(request, Mock())
    else:
        with pytest.raises(PluginError, match="waiting for it to be gone"):
            provider.Delete(request, Mock())


def check(provider: KubernetesProvider, kind: str, **metadata: Any) -> provider_pb2.CheckResponse:
    version, _, name = kind.rpartition("/")
    module = version if "/" in version else f"core/{version}"
    news = {"apiVersion": version, "kind": name, "metadata": {"name": "a", **metadata}}
    request = provider_pb2.CheckRequest(urn=urn(f"{module}:{name}"), news=to_struct(news))
    return provider.Check(request, Mock())


@pytest.mark.parametrize(
    ("kind", "namespace"),
    [("v1/Node", None), ("example.com/v1/Node", "default"), ("v1/ConfigMap", "default")],
)
def test_without_a_cluster_only_kubernetes_own_kinds_are_known_to_have_no_namespace(
    kind: str, namespace: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.kubernetes.cluster._FIRST_RETRY", False)
    inputs = from_struct(check(configured("http://127.0.0.1:9"), kind).inputs)
    assert inputs["metadata"].get("namespace") == namespace


def test_what_the_cluster_says_of_a_kind_counts_more_than_its_name(
    provider: KubernetesProvider,
) -> None:
    inputs = from_struct(check(provider, "v1/Node").inputs)
    assert inputs["metadata"]["namespace"] == "default"


@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize(
    ("manager", "applied"), [("autoscaler", None), ("pulumi-kubernetes-1", 3), ("", 3)]
)
def test_an_ignored_field_is_left_to_the_one_other_that_owns_it_or_stays_as_it_is(
    server: Server,
    provider: KubernetesProvider,
    preview: bool,
    manager: str,
    applied: int | None,
) -> None:
    old, new = job("1"), job("1")
    old["spec"]["parallelism"] = new["spec"]["parallelism"] = 1
    owner = {
        "manager": manager,
        "operation": "Update",
        "fieldsV1": {"f:spec": {"f:parallelism": {}}},
    }
    live = {**job("1"), "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    live["spec"]["parallelism"] = 3
    live["metadata"] |= {"managedFields": [owner] if manager else [], "resourceVersion": "1"}
    server.answers[f"{JOBS}/a"] = [(200, live)]
    request = provider_pb2.UpdateRequest(
        urn=urn("batch/v1:Job"),
        olds=to_struct(state.checkpoint(old, old, "batch/v1", "pulumi-kubernetes-1")),
        news=to_struct(new),
        ignoreChanges=["spec.parallelism"],
        preview=preview,
    )
    provider.Update(request, Mock())
    assert server.bodies[-1]["spec"].get("parallelism") == applied


@pytest.mark.parametrize("key", ["pulumi.com/waitFor", "pulumi.com/replaceUnready"])
def test_an_annotation_that_asks_for_what_is_not_done_is_refused(
    provider: KubernetesProvider, key: str
) -> None:
    found = check(provider, "v1/ConfigMap", annotations={key: "x"})
    assert [failure.property for failure in found.failures] == [f'metadata.annotations["{key}"]']
    assert not check(
        provider, "v1/ConfigMap", annotations={"pulumi.com/skipAwait": "true"}
    ).failures
