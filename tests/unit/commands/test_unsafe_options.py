"""Options of Pulumi that write secrets in plain text are refused."""

import pytest

from commands.errors import CommandError
from commands.unsafe_options import check_arguments, check_variables


@pytest.mark.parametrize(
    "argument",
    [
        *("--logtostderr", "--logtostderr=true", "--tracing=file:./trace", "--tracing"),
        *("--verbose=9", "-v", "-v9", "-v=9", "-yv9", "--show-secrets"),
    ],
)
def test_an_option_that_writes_secrets_is_refused_by_name(argument: str) -> None:
    with pytest.raises(CommandError, match=f"^{argument.partition('=')[0]} is refused.*secrets"):
        check_arguments(["--diff", argument])


def test_other_options_are_passed_on() -> None:
    check_arguments(["--diff", "--refresh", "-y", "--target=urn:a-v", "--message", "verbose", "-d"])


@pytest.mark.parametrize(
    "variable", ["PULUMI_DEBUG_GRPC", "PULUMI_OPTION_LOGTOSTDERR", "PULUMI_OPTION_SHOW_SECRETS"]
)
def test_a_variable_that_writes_secrets_is_refused_by_name(variable: str) -> None:
    with pytest.raises(CommandError, match=f"^{variable} must not be set"):
        check_variables({"PATH": "", variable: "1"})
    check_variables({"PATH": "", variable: ""})


def test_an_option_that_is_disabled_by_its_variable_is_allowed() -> None:
    check_variables({"PULUMI_OPTION_LOGTOSTDERR": "false", "PULUMI_OPTION_VERBOSE": "0"})


def test_any_value_of_the_variable_with_a_log_file_is_its_path() -> None:
    with pytest.raises(CommandError, match=r"^PULUMI_DEBUG_GRPC must not be set"):
        check_variables({"PULUMI_DEBUG_GRPC": "0"})
