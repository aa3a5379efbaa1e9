"""Values, state and replacement of random resources."""

import base64
import re
import uuid
from typing import Any
from unittest.mock import Mock

import bcrypt
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

from local.plugins.random_provider import KINDS, RandomProvider

PASSWORD = "random:index/randomPassword:RandomPassword"
STRING = "random:index/randomString:RandomString"
ID = "random:index/randomId:RandomId"
UUID = "random:index/randomUuid:RandomUuid"
INTEGER = "random:index/randomInteger:RandomInteger"
SAMPLES: dict[str, dict[str, Any]] = {
    PASSWORD: {"length": 20},
    STRING: {"length": 20},
    ID: {"byteLength": 8},
    UUID: {},
    INTEGER: {"min": 1, "max": 6},
}

provider = RandomProvider("4.21.4")


def struct(properties: dict[str, Any]) -> Struct:
    message = Struct()
    message.update(properties)
    return message


def check(token: str, inputs: dict[str, Any]) -> str:
    request = provider_pb2.CheckRequest(type=token, news=struct(inputs))
    return "; ".join(failure.reason for failure in provider.Check(request, Mock()).failures)


def create(token: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The id and the state, secrets in plain text."""
    request = provider_pb2.CreateRequest(type=token, properties=struct(inputs))
    response = provider.Create(request, Mock())
    state = rpc.deserialize_properties(response.properties, keep_unknowns=True)
    return response.id, {key: rpc.unwrap_rpc_secret(value) for key, value in state.items()}


def replacing(token: str, state: dict[str, Any], inputs: dict[str, Any]) -> list[str]:
    request = provider_pb2.DiffRequest(type=token, olds=struct(state), news=struct(inputs))
    response = provider.Diff(request, Mock())
    assert (response.changes == provider_pb2.DiffResponse.DIFF_SOME) == bool(response.replaces)
    return list(response.replaces)


@pytest.mark.parametrize("token", KINDS)
def test_a_preview_has_the_inputs_and_unknown_outputs(token: str) -> None:
    request = provider_pb2.CreateRequest(
        properties=struct(SAMPLES[token]), type=token, preview=True
    )
    response = provider.Create(request, Mock())
    state = MessageToDict(response.properties)
    assert response.id == ""
    assert SAMPLES[token].items() <= state.items()
    assert {state[key] for key in KINDS[token].computed} == {rpc.UNKNOWN}


@pytest.mark.parametrize("token", KINDS)
def test_only_changed_inputs_replace_the_value(token: str) -> None:
    _, state = create(token, {**SAMPLES[token], "keepers": {"version": "1"}})
    assert replacing(token, state, {**SAMPLES[token], "keepers": {"version": "1"}}) == []
    assert replacing(token, state, {**SAMPLES[token], "keepers": {"version": "2"}}) == ["keepers"]


@pytest.mark.parametrize(
    ("inputs", "added"),
    [
        ({"numeric": False}, {}),
        ({"number": False, "keepers": {}}, {}),
        ({"number": False}, {"__pulumi_raw_state_delta": {"obj": {}}}),
    ],
    ids=["the newer name of number", "empty keepers", "an addition of Pulumi's provider"],
)
def test_an_equivalent_state_is_unchanged(inputs: dict[str, Any], added: dict[str, Any]) -> None:
    _, state = create(PASSWORD, {"length": 16, "number": False})
    assert replacing(PASSWORD, state | added, {"length": 16, **inputs}) == []


def test_an_unknown_input_replaces_the_value() -> None:
    _, state = create(PASSWORD, {"length": 16})
    unknown = {"length": rpc.UNKNOWN}
    assert check(PASSWORD, unknown) == ""
    assert replacing(PASSWORD, state, unknown) == ["length"]


def test_the_state_of_a_password_is_that_of_pulumis_provider() -> None:
    identity, state = create(PASSWORD, {"length": 100, "minUpper": 2, "overrideSpecial": "_-"})
    password, digest = state.pop("result"), state.pop("bcryptHash")
    assert identity == "none"
    assert state == {
        "__meta": '{"schema_version":"3"}',
        "id": "none",
        "length": 100,
        "lower": True,
        "minLower": 0,
        "minNumeric": 0,
        "minSpecial": 0,
        "minUpper": 2,
        "number": True,
        "numeric": True,
        "overrideSpecial": "_-",
        "special": True,
        "upper": True,
    }
    assert len(password) == 100
    assert bcrypt.checkpw(password[:72].encode(), digest.encode())


def test_a_password_and_its_hash_are_secret() -> None:
    request = provider_pb2.CreateRequest(type=PASSWORD, properties=struct({"length": 16}))
    state = MessageToDict(provider.Create(request, Mock()).properties)
    for key in ("result", "bcryptHash"):
        assert set(state[key]) == {"4dabf18193072939515e22adb298388d", "value"}


@pytest.mark.parametrize(
    ("inputs", "pattern"),
    [
        ({"length": 50}, r"[A-Za-z0-9!@#$%&*()\-_=+\[\]{}<>:?]{50}"),
        ({"length": 50, "special": False}, r"[A-Za-z0-9]{50}"),
        ({"length": 50, "special": False, "upper": False, "numeric": False}, r"[a-z]{50}"),
        ({"length": 50, "number": False, "special": False}, r"[A-Za-z]{50}"),
        ({"length": 4, "minNumeric": 4}, r"[0-9]{4}"),
        ({"length": 9, "minSpecial": 9, "overrideSpecial": "~"}, r"~{9}"),
        ({"length": 4, "minSpecial": 4, "overrideSpecial": ""}, r"[!@#$%&*()\-_=+\[\]{}<>:?]{4}"),
    ],
)
def test_a_string_has_the_requested_characters(inputs: dict[str, Any], pattern: str) -> None:
    identity, state = create(STRING, inputs)
    assert re.fullmatch(pattern, state["result"])
    assert identity == state["result"]
    assert create(STRING, {"length": 20}) != create(STRING, {"length": 20})


def test_an_id_has_the_same_bytes_in_every_encoding() -> None:
    identity, state = create(ID, {"byteLength": 8, "prefix": "app-"})
    value = bytes.fromhex(state["hex"].removeprefix("app-"))
    assert len(value) == 8
    assert base64.b64decode(state["b64Std"].removeprefix("app-")) == value
    assert base64.urlsafe_b64decode(state["b64Url"].removeprefix("app-") + "=") == value
    assert int(state["dec"].removeprefix("app-")) == int.from_bytes(value)
    assert state["b64Url"] == f"app-{identity}"


def test_a_uuid_is_of_version_4() -> None:
    identity, state = create(UUID, {})
    assert uuid.UUID(identity).version == 4
    assert state["result"] == identity


def test_an_integer_is_within_its_inclusive_bounds() -> None:
    assert {create(INTEGER, {"min": 1, "max": 2})[1]["result"] for _ in range(64)} == {1, 2}


NO_CHARACTERS = {"upper": False, "lower": False, "numeric": False, "special": False}


@pytest.mark.parametrize(
    ("token", "inputs", "reason"),
    [
        (PASSWORD, {}, "length must be an integer, got None"),
        (PASSWORD, {"length": 0}, "length must be at least 1, got 0"),
        (PASSWORD, {"length": 3, "minUpper": 2, "minLower": 2}, "at least 4, got 3"),
        (PASSWORD, {"length": "16"}, "length must be an integer, got '16'"),
        (PASSWORD, {"length": 8, "size": 1}, "size is not supported; inputs are keepers, length"),
        (STRING, {"length": 8, **NO_CHARACTERS}, "one of upper, lower, numeric and special"),
        (ID, {"byteLength": 0}, "byteLength must be at least 1, got 0"),
        (INTEGER, {"min": 7, "max": 6}, "min must be at most max (6), got 7"),
        (INTEGER, {"min": 1, "max": 6, "seed": "x"}, "seed is not supported"),
        ("random:index/randomPet:RandomPet", {}, "RandomPet is not supported; types are random:"),
    ],
)
def test_an_invalid_input_is_refused_by_name_value_and_bound(
    token: str, inputs: dict[str, Any], reason: str
) -> None:
    assert reason in check(token, inputs)
