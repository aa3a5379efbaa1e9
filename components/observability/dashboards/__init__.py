"""Grafana dashboards, one file each."""

from components.observability.args import ObservabilityArgs


def all_dashboards(args: ObservabilityArgs) -> dict[str, str]:
    """JSON of each dashboard by file name.

    Those about services have a variable ``service``; a service with panels of its own has a
    dashboard of its own too.
    """
    # Imported here, because importing Grafana's SDK is slow and not every stack has dashboards.
    from components.observability.dashboards.logs import logs_dashboard  # noqa: PLC0415
    from components.observability.dashboards.monitoring import monitoring_dashboard  # noqa: PLC0415
    from components.observability.dashboards.nodes import nodes_dashboard  # noqa: PLC0415
    from components.observability.dashboards.objective import objective_dashboard  # noqa: PLC0415
    from components.observability.dashboards.overview import overview_dashboard  # noqa: PLC0415
    from components.observability.dashboards.own_panels import own_panels_dashboard  # noqa: PLC0415
    from components.observability.dashboards.panels import to_json  # noqa: PLC0415
    from components.observability.dashboards.service import service_dashboard  # noqa: PLC0415
    from components.observability.dashboards.workload import workload_dashboard  # noqa: PLC0415

    namespace, services = args["namespace"], args["services"]
    dashboards = {
        "overview": overview_dashboard(namespace),
        "service": service_dashboard(namespace, services),
        "objective": objective_dashboard(namespace),
        "workload": workload_dashboard(namespace, services),
        "nodes": nodes_dashboard(),
        "logs": logs_dashboard(namespace),
        "monitoring": monitoring_dashboard(args["network"].monitoring_namespace),
        **{
            f"service-{service.name}": own_panels_dashboard(service)
            for service in services
            if service.panels
        },
    }
    return {f"{name}.json": to_json(name, dashboard) for name, dashboard in dashboards.items()}
