"""``release.beforeStart``: a Job before a version starts."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from settings.containers import Command
from settings.errors import MISSING, FieldError
from settings.section import Section


class BeforeStart(Section):
    """Job with the version's image that must succeed before its pods start, once per version."""

    command: Command = ()
    """Program. Default: that of the image."""
    args: Command = ()
    """Arguments. Default: those of the image."""
    timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    """Maximum duration of the Job with its retries."""
    backoff_limit: Annotated[int, Field(ge=0, le=10)] = 2
    """Number of retries before the Job has failed."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if not self.command and not self.args:
            yield FieldError("command", MISSING, "command or args: the image starts the service")
