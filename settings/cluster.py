"""``slipway:cluster``."""

from typing import Annotated

from pydantic import Field

from settings.section import Section
from settings.string_formats import Url


class Cluster(Section):
    """Kubernetes cluster of the stack."""

    context: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Kubeconfig context. Default: the current context."""
    server: Url | None = None
    """URL of its API server in the kubeconfig. Another one is an error before anything is changed.
    Default: not checked."""
