"""The harness itself: what it cannot fail, no test proves."""

from collections.abc import Mapping

import pulumi
import pytest
from pulumi_kubernetes.core.v1 import ConfigMap

from tests.unit.harness import run, value_of


def config_map(**data: pulumi.Input[str]) -> ConfigMap:
    return ConfigMap("one", metadata={"name": "one"}, data=data)


def test_an_assertion_inside_apply_fails_the_run() -> None:
    def program() -> pulumi.Output[None]:
        def wrong(data: Mapping[str, str]) -> None:
            assert data["key"] == "another value"

        return config_map(key="value").data.apply(wrong)

    with pytest.raises(AssertionError):
        run(program)


def test_an_error_in_a_program_fails_the_run() -> None:
    def program() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        run(program)


def test_what_is_registered_can_be_read_after_the_run() -> None:
    assert run(lambda: config_map(key="value")).one("ConfigMap")["data"] == {"key": "value"}


def test_an_output_can_be_read_after_the_run() -> None:
    assert value_of(lambda: config_map(key="value").data.apply(lambda data: data["key"])) == "value"
