"""``panels`` of a service: Grafana panels of its own."""

from typing import Annotated

from pydantic import Field

from settings.prometheus_formats import PanelQuery
from settings.section import Section


class ServicePanel(Section):
    """Time series panel in the dashboard of the service's own panels."""

    title: Annotated[str, Field(min_length=1, max_length=100)]
    """Title."""
    description: Annotated[str, Field(max_length=1024)] = ""
    """Description."""
    unit: Annotated[str, Field(min_length=1, max_length=30)] = "short"
    """Grafana's unit, such as short, cps, reqps, s, bytes, percentunit."""
    query: PanelQuery
    """Query. `$selector` stands for the matchers of namespace and service."""
    legend: Annotated[str, Field(max_length=100)] = "{{track}}"
    """Legend of each series; labels are in double braces."""
