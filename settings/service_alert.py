"""``alerts`` of a service: alerting rules of its own."""

from typing import Annotated, Literal

from pydantic import Field

from settings.prometheus_formats import AlertName, PromQL
from settings.quantities import duration_format
from settings.section import Section
from settings.string_formats import Url

Text = Annotated[str, Field(min_length=1, max_length=1024)]


class ServiceAlert(Section):
    """Prometheus alerting rule. It gets the labels namespace, service and owner."""

    name: AlertName
    """Name of the alert, such as ServicePanics."""
    expr: PromQL
    """Condition. `$selector` stands for the matchers of namespace and service."""
    for_: Annotated[str, Field(alias="for"), duration_format("0s", "24h")] = "0s"
    """Duration that the condition must hold before the alert fires."""
    severity: Literal["page", "ticket"] = "ticket"
    """`page` needs immediate action. `ticket` can wait for working hours."""
    summary: Text
    """Summary in one line."""
    description: Text | None = None
    """Description; a Prometheus template. Default: the summary."""
    runbook: Url | None = None
    """URL of the runbook. Default: the page of this name in `observability.runbookBaseUrl`."""
