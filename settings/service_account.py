"""``serviceAccount`` of a service."""

from typing import Annotated

from pydantic import Field

from settings.section import Section
from settings.string_formats import LabelKey


class ServiceAccountSettings(Section):
    """ServiceAccount of each version's pods, and of `release.beforeStart`."""

    annotations: dict[LabelKey, Annotated[str, Field(max_length=1024)]] = {}
    """Annotations, such as `eks.amazonaws.com/role-arn` for an IAM role."""
    automount_service_account_token: bool = False
    """Mounts an API token. It has the permissions of the Roles that are bound to the
    ServiceAccount."""
