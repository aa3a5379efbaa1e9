"""Dashboard of the panels that a service has in the stack file."""

from grafana_foundation_sdk.builders import dashboard

from components.observability.dashboards.panels import graph, new_dashboard, query
from components.observability.monitored_service import MonitoredService
from settings.prometheus_formats import SELECTOR


def own_panels_dashboard(service: MonitoredService) -> dashboard.Dashboard:
    """The service's own panels."""
    panels = [
        graph(
            panel.title,
            panel.description or f"{panel.title}.",
            panel.unit,
            query(panel.query.replace(SELECTOR, service.selector()), panel.legend),
        )
        for panel in service.panels
    ]
    if len(panels) % 2:
        panels[-1].span(24)
    return new_dashboard(
        f"{service.name}: own panels",
        f"Metrics of {service.name} that other services do not have.",
        {service.name: panels},
    )
