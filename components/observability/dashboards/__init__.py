"""Grafana's dashboards, one file each, generated from typed descriptions."""

from settings import Settings


def all_dashboards(settings: Settings) -> dict[str, str]:
    """The name and JSON of each dashboard's file: the same for the same stack."""
    # Only who deploys Grafana pays for the import of its library.
    from components.observability.dashboards.grafana import as_json  # noqa: PLC0415
    from components.observability.dashboards.selection import dashboards  # noqa: PLC0415

    return {f"{dashboard.name}.json": as_json(dashboard) for dashboard in dashboards(settings)}
