"""Environment variables of a service's containers."""

from typing import Any

import pytest

from components.labels import Identity
from components.observability.trace_receiver import TraceReceiver
from components.prune import prune_none
from components.service.credentials import CredentialNames
from components.service.env import encrypted_values, environment_from, service_environment
from tests.unit.stacks import service

SECRET = {"secure": "v1:nonce:ciphertext"}
RECEIVER = TraceReceiver("http://collector.monitoring.svc:4318", ())


def environment(traces: TraceReceiver | None = None, **changes: Any) -> dict[str, Any]:
    """Value or source of each variable."""
    identity = Identity("beacon", "home", "canary", "1.1.0")
    variables: list[Any] = [
        *service_environment(
            identity, service(**changes), CredentialNames(environment="beacon-env"), traces
        )
    ]
    by_name = {
        one["name"]: prune_none(one.get("value", one.get("value_from"))) for one in variables
    }
    assert len(by_name) == len(variables)
    return by_name


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("info", "info"),
        ("", ""),
        (
            {"secret": SECRET},
            {"secret_key_ref": {"name": "beacon-env", "key": "NAME"}},
        ),
        (
            {"secretKeyRef": {"name": "database", "key": "user"}},
            {"secret_key_ref": {"name": "database", "key": "user"}},
        ),
        (
            {"configMapKeyRef": {"name": "cluster", "key": "region", "optional": True}},
            {"config_map_key_ref": {"name": "cluster", "key": "region", "optional": True}},
        ),
        (
            {"fieldRef": {"fieldPath": "status.podIP"}},
            {"field_ref": {"field_path": "status.podIP"}},
        ),
    ],
)
def test_a_variable_has_the_value_or_the_source_of_the_settings(value: Any, expected: Any) -> None:
    assert environment(env={"NAME": value})["NAME"] == expected


def test_only_encrypted_values_are_those_of_the_secret() -> None:
    env = service(env={"PLAIN": "text", "HIDDEN": {"secret": SECRET}}).env
    assert list(encrypted_values(env)) == ["HIDDEN"]
    assert list(encrypted_values(env, "proxy.")) == ["proxy.HIDDEN"]


def test_variables_come_from_all_keys_of_an_object() -> None:
    sources = service(
        envFrom=[
            {"secretRef": {"name": "features", "optional": True}, "prefix": "FEATURE_"},
            {"configMapRef": {"name": "cluster"}},
        ]
    ).env_from
    assert prune_none(environment_from(sources)) == [
        {"prefix": "FEATURE_", "secret_ref": {"name": "features", "optional": True}},
        {"config_map_ref": {"name": "cluster"}},
    ]
    assert environment_from(()) is None


def test_the_service_learns_its_name_pod_track_and_version() -> None:
    variables = environment()
    assert variables["OTEL_SERVICE_NAME"] == "beacon"
    assert variables["TRACK"] == "canary"
    assert variables["POD_NAME"] == {"field_ref": {"field_path": "metadata.name"}}
    assert variables["POD_NAMESPACE"] == {"field_ref": {"field_path": "metadata.namespace"}}
    assert variables["OTEL_RESOURCE_ATTRIBUTES"].split(",") == [
        "service.namespace=home",
        "service.version=1.1.0",
        "deployment.track=canary",
        "k8s.namespace.name=home",
        "k8s.pod.name=$(POD_NAME)",
    ]
    names = list(variables)
    assert names.index("POD_NAME") < names.index("OTEL_RESOURCE_ATTRIBUTES")


def test_traces_are_sent_to_the_receiver_with_the_sample_ratio_of_the_settings() -> None:
    variables = environment(RECEIVER, tracing={"sampleRatio": 0.25})
    assert {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": RECEIVER.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
    }.items() <= variables.items()


@pytest.mark.parametrize(
    ("receiver", "tracing"), [(None, {"enabled": True}), (RECEIVER, {"enabled": False})]
)
def test_without_a_receiver_or_tracing_no_traces_are_exported(
    receiver: TraceReceiver | None, tracing: dict[str, Any]
) -> None:
    variables = environment(receiver, tracing=tracing)
    assert variables["OTEL_TRACES_EXPORTER"] == "none"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in variables


def test_env_overrides_the_standard_variables() -> None:
    variables = environment(env={"OTEL_SERVICE_NAME": "shop", "GOMAXPROCS": "1"})
    assert variables["OTEL_SERVICE_NAME"] == "shop"
    assert variables["GOMAXPROCS"] == "1"


def test_the_go_runtime_stays_within_the_limits_of_the_container() -> None:
    resources = {
        "requests": {"cpu": "100m", "memory": "10Mi"},
        "limits": {"cpu": "2", "memory": "10Mi"},
    }
    variables = environment(workload={"resources": resources})
    assert variables["GOMAXPROCS"] == {"resource_field_ref": {"resource": "limits.cpu"}}
    assert variables["GOMEMLIMIT"] == f"{9 * 2**20}B"
