"""Grafana dashboards, one file each."""

from collections.abc import Sequence

from components.observability.monitored_service import MonitoredService


def all_dashboards(
    services: Sequence[MonitoredService], monitoring_namespace: str
) -> dict[str, str]:
    """JSON of each dashboard by file name."""
    slo = services[0].slo
    # Imported here, because importing Grafana's SDK is slow and not every stack has dashboards.
    from components.observability.dashboards.logs import logs_dashboard  # noqa: PLC0415
    from components.observability.dashboards.monitoring import monitoring_dashboard  # noqa: PLC0415
    from components.observability.dashboards.nodes import nodes_dashboard  # noqa: PLC0415
    from components.observability.dashboards.objective import objective_dashboard  # noqa: PLC0415
    from components.observability.dashboards.overview import overview_dashboard  # noqa: PLC0415
    from components.observability.dashboards.panels import to_json  # noqa: PLC0415
    from components.observability.dashboards.service import service_dashboard  # noqa: PLC0415
    from components.observability.dashboards.workload import workload_dashboard  # noqa: PLC0415

    dashboards = {
        "overview": overview_dashboard(slo),
        "service": service_dashboard(slo),
        "objective": objective_dashboard(slo),
        "workload": workload_dashboard(slo),
        "nodes": nodes_dashboard(),
        "logs": logs_dashboard(slo),
        "monitoring": monitoring_dashboard(monitoring_namespace),
    }
    return {f"{name}.json": to_json(name, dashboard) for name, dashboard in dashboards.items()}
