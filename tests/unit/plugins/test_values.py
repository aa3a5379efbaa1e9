"""Property values survive the way to the engine and back."""

import pytest
from pulumi.output import contains_unknowns
from pulumi.runtime import rpc

from plugins.values import UNKNOWN, Secret, Unknown, contains, from_struct, reveal, to_struct


def test_every_kind_of_value_comes_back_as_it_was():
    properties = {
        "text": "x",
        "whole": 3,
        "part": 0.5,
        "yes": True,
        "nothing": None,
        "list": [1, [], {}],
        "object": {"inner": {"deep": "y"}},
        "secret": Secret({"password": "p"}),
        "later": UNKNOWN,
    }
    assert from_struct(to_struct(properties)) == properties


def test_whole_numbers_are_integers():
    assert isinstance(from_struct(to_struct({"replicas": 3}))["replicas"], int)


def test_the_sdk_reads_secrets_and_unknowns_as_we_write_them():
    read = rpc.deserialize_properties(
        to_struct({"secret": Secret("s"), "later": UNKNOWN}), keep_unknowns=True
    )
    assert rpc.is_rpc_secret(read["secret"])
    assert rpc.unwrap_rpc_secret(read["secret"]) == "s"
    assert contains_unknowns(read["later"])


def test_an_output_value_is_what_it_holds():
    output = {"4dabf18193072939515e22adb298388d": "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
    properties = {
        "known": {**output, "value": 1},
        "secret": {**output, "value": 2, "secret": True},
        "unknown": output,
    }
    assert from_struct(to_struct(properties)) == {
        "known": 1,
        "secret": Secret(2),
        "unknown": UNKNOWN,
    }


def test_secrets_are_found_and_revealed_at_any_depth():
    value = {"a": [Secret({"b": Secret("s")})]}
    assert contains(value, Secret)
    assert reveal(value) == {"a": [{"b": "s"}]}
    assert not contains(reveal(value), Secret)


def test_an_unknown_is_found_inside_a_secret():
    assert contains([Secret({"a": UNKNOWN})], Unknown)


def test_a_secret_never_shows_in_a_message():
    assert "hunter2" not in repr(Secret("hunter2"))
    assert "hunter2" not in f"{[Secret('hunter2')]}"


def test_a_value_the_protocol_lacks_is_refused_by_its_type():
    with pytest.raises(TypeError, match="a set cannot be a property value"):
        to_struct({"x": {1}})
