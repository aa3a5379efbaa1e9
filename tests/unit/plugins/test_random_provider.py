"""What the random provider draws, keeps and replaces."""

import base64
import re
import uuid
from unittest.mock import Mock

import bcrypt
import pytest
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import provider_pb2

from plugins.random_provider import KINDS, RandomProvider
from plugins.server import PluginError
from plugins.values import UNKNOWN, Secret, from_struct, reveal, to_struct

PASSWORD = "random:index/randomPassword:RandomPassword"
STRING = "random:index/randomString:RandomString"
ID = "random:index/randomId:RandomId"
UUID = "random:index/randomUuid:RandomUuid"
INTEGER = "random:index/randomInteger:RandomInteger"
SAMPLES = {
    PASSWORD: {"length": 20},
    STRING: {"length": 20},
    ID: {"byteLength": 8},
    UUID: {},
    INTEGER: {"min": 1, "max": 6},
}

provider = RandomProvider("4.21.4")


def check(token, inputs):
    request = provider_pb2.CheckRequest(type=token, news=to_struct(inputs))
    failures = provider.Check(request, Mock()).failures
    return [failure.reason for failure in failures]


def create(token, inputs, *, preview=False):
    request = provider_pb2.CreateRequest(type=token, properties=to_struct(inputs), preview=preview)
    response = provider.Create(request, Mock())
    return response.id, from_struct(response.properties)


def diff(token, olds, news):
    request = provider_pb2.DiffRequest(type=token, olds=to_struct(olds), news=to_struct(news))
    return provider.Diff(request, Mock())


def adopt(token, given):
    response = provider.Read(provider_pb2.ReadRequest(type=token, id=given), Mock())
    return response.id, from_struct(response.inputs), from_struct(response.properties)


def test_every_kind_is_sampled():
    assert SAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("token", KINDS)
def test_a_preview_knows_the_inputs_and_no_value(token):
    identity, state = create(token, SAMPLES[token], preview=True)
    assert identity == ""
    assert state["id"] is UNKNOWN
    assert SAMPLES[token].items() <= state.items()
    assert all(value is UNKNOWN for key, value in state.items() if key in KINDS[token].computed)


@pytest.mark.parametrize("token", KINDS)
def test_the_same_inputs_keep_the_value(token):
    _, state = create(token, SAMPLES[token])
    answer = diff(token, reveal(state), SAMPLES[token])
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


@pytest.mark.parametrize("token", KINDS)
def test_changed_keepers_replace_the_value(token):
    _, state = create(token, SAMPLES[token] | {"keepers": {"version": "1"}})
    answer = diff(token, reveal(state), SAMPLES[token] | {"keepers": {"version": "2"}})
    assert list(answer.replaces) == ["keepers"]


@pytest.mark.parametrize("token", KINDS)
def test_a_refresh_finds_the_state_as_it_is(token):
    identity, state = create(token, SAMPLES[token])
    request = provider_pb2.ReadRequest(
        type=token, id=identity, properties=to_struct(state), inputs=to_struct(SAMPLES[token])
    )
    response = provider.Read(request, Mock())
    assert (response.id, from_struct(response.properties)) == (identity, state)


def test_a_password_has_the_state_that_pulumis_own_provider_writes():
    identity, state = create(PASSWORD, {"length": 24, "minUpper": 2, "overrideSpecial": "_-"})
    password, digest = state.pop("result"), state.pop("bcryptHash")
    assert identity == "none"
    assert state == {
        "__meta": '{"schema_version":"3"}',
        "id": "none",
        "length": 24,
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
    assert isinstance(password, Secret)
    assert isinstance(digest, Secret)
    assert digest.value.startswith("$2a$10$")
    assert bcrypt.checkpw(password.value.encode(), digest.value.encode())


def test_a_password_longer_than_bcrypt_reads_is_hashed_by_its_beginning():
    _, state = create(PASSWORD, {"length": 100})
    password, digest = reveal(state)["result"], reveal(state)["bcryptHash"]
    assert len(password) == 100
    assert bcrypt.checkpw(password[:72].encode(), digest.encode())


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
def test_a_string_has_the_characters_it_was_asked_for(inputs, pattern):
    identity, state = create(STRING, inputs)
    assert re.fullmatch(pattern, state["result"])
    assert identity == state["result"]


def test_two_values_differ():
    assert create(STRING, {"length": 20}) != create(STRING, {"length": 20})


def test_an_id_is_the_same_bytes_in_every_form():
    identity, state = create(ID, {"byteLength": 8, "prefix": "app-"})
    value = bytes.fromhex(state["hex"].removeprefix("app-"))
    assert len(value) == 8
    assert base64.b64decode(state["b64Std"].removeprefix("app-")) == value
    assert base64.urlsafe_b64decode(state["b64Url"].removeprefix("app-") + "=") == value
    assert int(state["dec"].removeprefix("app-")) == int.from_bytes(value)
    assert state["b64Url"] == f"app-{identity}"


def test_a_uuid_is_a_random_one():
    identity, state = create(UUID, {})
    assert uuid.UUID(identity).version == 4
    assert state["result"] == identity


def test_an_integer_is_within_its_bounds_which_count():
    drawn = {create(INTEGER, {"min": 1, "max": 2})[1]["result"] for _ in range(64)}
    assert drawn == {1, 2}


@pytest.mark.parametrize(
    ("token", "inputs", "reason"),
    [
        (PASSWORD, {}, "length is required"),
        (PASSWORD, {"length": 0}, "length must be at least 1, got 0"),
        (PASSWORD, {"length": 3, "minUpper": 2, "minLower": 2}, "at least 4, got 3"),
        (PASSWORD, {"length": "16"}, "length must be a whole number, got 16"),
        (PASSWORD, {"length": 8, "upper": 1}, "upper must be true or false, got 1"),
        (PASSWORD, {"length": 8, "size": 1}, "size is not an input here; those are keepers"),
        (PASSWORD, {"length": 8, "number": True, "numeric": False}, "number is the older name"),
        (
            STRING,
            {"length": 8, "upper": False, "lower": False, "numeric": False, "special": False},
            "one of upper, lower, numeric and special must be true",
        ),
        (ID, {"byteLength": 0}, "byteLength must be at least 1, got 0"),
        (INTEGER, {"min": 7, "max": 6}, r"min must be at most max \(6\), got 7"),
        (INTEGER, {"min": 1, "max": 6, "seed": "x"}, "seed is not an input here"),
    ],
)
def test_a_bad_input_is_refused_by_name_value_and_bound(token, inputs, reason):
    reasons = check(token, inputs)
    assert len(reasons) == 1
    assert re.search(reason, reasons[0])


def test_an_input_that_is_not_known_yet_is_not_judged():
    assert check(PASSWORD, {"length": UNKNOWN}) == []


def test_an_input_that_is_not_known_yet_may_replace():
    _, state = create(PASSWORD, {"length": 16})
    assert list(diff(PASSWORD, reveal(state), {"length": UNKNOWN}).replaces) == ["length"]


def test_the_older_name_of_numeric_is_no_change():
    _, state = create(PASSWORD, {"length": 16, "number": False})
    answer = diff(PASSWORD, reveal(state), {"length": 16, "numeric": False})
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_empty_keepers_are_no_keepers():
    _, state = create(PASSWORD, {"length": 16})
    answer = diff(PASSWORD, reveal(state), {"length": 16, "keepers": {}})
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_what_pulumis_provider_adds_to_its_state_is_no_change():
    _, state = create(PASSWORD, {"length": 16})
    olds = reveal(state) | {"__pulumi_raw_state_delta": {"obj": {}}}
    answer = diff(PASSWORD, olds, {"length": 16})
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


@pytest.mark.parametrize(
    ("token", "given", "inputs", "value"),
    [
        (PASSWORD, "hunter2", {"length": 7}, "hunter2"),
        (STRING, "abc", {"length": 3}, "abc"),
        (UUID, "0f8fad5b-d9cb-469f-a165-70867728950e", {}, "0f8fad5b-d9cb-469f-a165-70867728950e"),
        (INTEGER, "4,1,6", {"min": 1, "max": 6}, 4),
    ],
)
def test_an_imported_value_is_kept_and_needs_no_change(token, given, inputs, value):
    _, found, state = adopt(token, given)
    assert found == inputs
    assert reveal(state)["result"] == value
    assert diff(token, reveal(state), inputs).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_an_imported_id_may_have_a_prefix():
    identity, inputs, state = adopt(ID, "app-,p-9hUg")
    assert identity == "p-9hUg"
    assert inputs == {"byteLength": 4, "prefix": "app-"}
    assert state["hex"] == "app-a7ef6152"


def test_what_cannot_be_imported_is_named():
    with pytest.raises(PluginError, match="x is not the value of a random:index/randomUuid"):
        adopt(UUID, "x")


def test_an_unknown_type_is_refused_with_the_known_ones():
    with pytest.raises(PluginError, match=r"RandomPet is not among .*RandomPassword"):
        create("random:index/randomPet:RandomPet", {})


def test_a_secret_value_is_never_readable_in_a_response():
    _, state = create(PASSWORD, {"length": 16})
    shown = MessageToDict(to_struct(state))
    assert set(shown["result"]) == {"4dabf18193072939515e22adb298388d", "value"}
