"""Grafana's dashboards, one file each, generated from typed descriptions."""

from components.observability.slo import Slo


def all_dashboards(slo: Slo, monitoring_namespace: str) -> dict[str, str]:
    """Return the name and JSON of each dashboard's file."""
    # Only who deploys Grafana pays for the import of its library.
    from components.observability.dashboards.grafana import as_json  # noqa: PLC0415
    from components.observability.dashboards.scope import Scope  # noqa: PLC0415
    from components.observability.dashboards.selection import dashboards  # noqa: PLC0415

    scope = Scope(slo, monitoring_namespace)
    return {f"{dashboard.name}.json": as_json(dashboard) for dashboard in dashboards(scope)}
