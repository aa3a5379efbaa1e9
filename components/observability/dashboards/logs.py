"""Dashboard of the service's logs."""

from grafana_foundation_sdk.builders import dashboard, timeseries

from components.observability.dashboards.panels import (
    graph,
    label_variable,
    log_lines,
    log_query,
    new_dashboard,
    service_variable,
)
from components.observability.queries import PODS, log_selector, selector


def logs_dashboard(namespace: str) -> dashboard.Dashboard:
    """Log volume, log lines and errors, filtered by track, trace ID and text."""
    selected = f'{log_selector(namespace, "$service")} | track=~"$track"'
    lines = log_lines(
        "Lines",
        "Newest first, filtered by trace ID and text. Open a line for its fields and its trace.",
        f'{selected} | trace_id=~"$trace.*" |= "$text"',
    )
    errors = log_lines(
        "Error lines",
        "Lines of the levels error and fatal, not filtered by trace ID and text.",
        f'{selected} | level=~"error|fatal"',
    )
    return (
        new_dashboard(
            "Service: logs",
            "Filter the lines by trace ID or text with the fields at the top.",
            {
                "Volume": (_volume(selected, "level"), _volume(selected, "track")),
                "Lines": (lines.span(24).height(14), errors.span(24)),
            },
        )
        .with_variable(service_variable(namespace))
        .with_variable(
            label_variable(
                "track",
                "Track",
                f"label_values({PODS}{{{selector(namespace, '$service')}}}, track)",
            )
        )
        .with_variable(dashboard.TextBoxVariable("trace").label("Trace ID").default_value(""))
        .with_variable(dashboard.TextBoxVariable("text").label("Text").default_value(""))
    )


def _volume(selected: str, label: str) -> timeseries.Panel:
    return graph(
        f"Lines by {label}",
        "Log lines per interval.",
        "short",
        log_query(
            f"sum by ({label}) (count_over_time({selected} [$__interval]))", f"{{{{{label}}}}}"
        ),
        stacked=True,
    )
