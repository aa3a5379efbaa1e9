"""The engine's questions about an object are answered as Pulumi's own plugin answers them."""

import json
from typing import Any
from unittest.mock import Mock

import pytest
from pulumi.runtime.proto import provider_pb2

from plugins.kubernetes import state
from plugins.kubernetes.provider import KubernetesProvider
from plugins.values import to_struct
from tests.unit.plugins.api_server import Server, discovery

JOBS = "/apis/batch/v1/namespaces/n/jobs"


@pytest.fixture
def provider(server: Server) -> KubernetesProvider:
    server.answers["/api"] = [(200, discovery("Namespace"))]
    server.answers["/apis"] = [(200, discovery("Job", group="batch"))]
    config = {
        "clusters": [
            {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ],
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "current-context": "c",
    }
    provider = KubernetesProvider("4.0.0")
    provider.engine = Mock()
    variables = {"kubernetes:config:kubeconfig": json.dumps(config)}
    provider.Configure(provider_pb2.ConfigureRequest(variables=variables), Mock())
    return provider


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
