"""``securityContext`` of a service."""

from typing import Annotated

from pydantic import Field

from settings.section import Section

Id = Annotated[int, Field(ge=1, le=2_147_483_647)]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class SecurityExceptions(Section):
    """Hardening beyond `restricted` that is turned off, each with the reason."""

    read_only_root_filesystem: Reason | None = None
    """Reason why the root filesystem must be writable."""


class SecurityContextSettings(Section):
    """User of the pods. They run with the Pod Security Standard `restricted`."""

    run_as_user: Id = 65532
    """User ID. The default is that of `nonroot` in distroless images."""
    run_as_group: Id = 65532
    """Group ID, also of the files in volumes."""
    exceptions: SecurityExceptions = SecurityExceptions.model_construct()
