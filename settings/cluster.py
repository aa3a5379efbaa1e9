"""``slipway:cluster``."""

from typing import Annotated

from pydantic import Field

from settings.section import Section


class Cluster(Section):
    """Kubernetes cluster of the stack."""

    context: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Kubeconfig context. Default: the current context."""
