"""Failures that the harness reports."""

from collections.abc import Mapping

import pulumi
import pytest
from pulumi_kubernetes.core.v1 import ConfigMap

from tests.unit.harness import run


def test_a_failed_assertion_inside_apply_fails_the_run() -> None:
    def program() -> pulumi.Output[None]:
        def check(data: Mapping[str, str]) -> None:
            assert data["key"] == "another value"

        return ConfigMap("one", metadata={"name": "one"}, data={"key": "value"}).data.apply(check)

    with pytest.raises(AssertionError):
        run(program)


def test_an_exception_in_the_program_fails_the_run() -> None:
    def program() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        run(program)
