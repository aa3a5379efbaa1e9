"""Options and variables with which the Pulumi CLI writes secrets in plain text."""

import re
from collections.abc import Iterator, Mapping, Sequence

from commands.errors import CommandError

_OPTIONS = ("logtostderr", "verbose", "tracing", "show-secrets")
_ARGUMENTS = {f"--{option}" for option in _OPTIONS}
_VERBOSE = re.compile(r"-[a-zA-Z]*v(=?\d+)?")
"""Short form of ``--verbose``, also after other short options."""
_LOG_FILE = "PULUMI_DEBUG_GRPC"
"""Variable with the path of a file."""
_VARIABLES = {
    _LOG_FILE,
    # Pulumi reads every option from a variable too.
    *(f"PULUMI_OPTION_{option.replace('-', '_').upper()}" for option in _OPTIONS),
}

_REASON = "Pulumi would write secrets in plain text to its output or to a file"


def check_arguments(arguments: Sequence[str]) -> None:
    """Raise :class:`CommandError` for an option that writes secrets in plain text."""
    for argument in arguments:
        name = argument.partition("=")[0]
        if name in _ARGUMENTS or _VERBOSE.fullmatch(argument):
            raise CommandError(f"{name} is refused: {_REASON}. Leave it out")


def check_variables(environment: Mapping[str, str]) -> None:
    """Raise :class:`CommandError` for a variable that makes Pulumi write secrets in plain text."""
    if found := sorted(_set_variables(environment)):
        raise CommandError(f"{' and '.join(found)} must not be set: {_REASON}")


def _set_variables(environment: Mapping[str, str]) -> Iterator[str]:
    for name in _VARIABLES & environment.keys():
        disabled = ("",) if name == _LOG_FILE else ("", "0", "false")
        if environment[name].lower() not in disabled:
            yield name
