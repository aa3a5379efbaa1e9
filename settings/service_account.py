"""``serviceAccount`` of a service."""

from typing import Annotated

from pydantic import Field

from settings.section import Section
from settings.string_formats import LabelKey


class ServiceAccountSettings(Section):
    """ServiceAccount of each version's pods, and of `release.beforeStart`."""

    annotations: dict[LabelKey, Annotated[str, Field(max_length=1024)]] = {}
    """Annotations, such as the identity of a cloud: `eks.amazonaws.com/role-arn`."""
    automount_service_account_token: bool = False
    """Mounts a token for the API server. Bind a role to the ServiceAccount for it to be of use."""
