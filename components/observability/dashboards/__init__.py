"""Grafana's dashboards, one file each, generated from typed descriptions."""

from schemas.observability import SloSettings


def all_dashboards(
    service: str, namespace: str, monitoring: str, slo: SloSettings
) -> dict[str, str]:
    """The name and JSON of each dashboard's file: the same for the same input.

    ``namespace`` is the service's, ``monitoring`` that of the servers.
    """
    # Only who deploys Grafana pays for the import of its library.
    from components.observability.dashboards.grafana import as_json  # noqa: PLC0415
    from components.observability.dashboards.selection import dashboards  # noqa: PLC0415

    return {
        f"{dashboard.name}.json": as_json(dashboard)
        for dashboard in dashboards(service, namespace, monitoring, slo)
    }
