"""``release.progressive`` of a service."""

from typing import Annotated

from pydantic import Field

from settings.section import Section


class Progressive(Section):
    """Canary of Flagger: steps of its weight, and the checks of its metrics."""

    interval_seconds: Annotated[int, Field(ge=10, le=3600)] = 60
    """Seconds between two checks, and between two steps."""
    paused: bool = False
    """Keeps the weight as it is: no checks, no steps, no rollback. `make pause` and `make resume`
    set it."""
