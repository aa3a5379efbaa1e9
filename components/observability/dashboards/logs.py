"""Dashboard of the service's logs."""

from grafana_foundation_sdk.builders import dashboard, timeseries

from components.observability.dashboards.panels import (
    graph,
    label_variable,
    log_lines,
    log_query,
    new_dashboard,
)
from components.observability.queries import log_selector
from components.observability.slo import Slo


def logs_dashboard(slo: Slo) -> dashboard.Dashboard:
    """Log volume, log lines and errors, filtered by track, trace ID and text."""
    selected = f'{log_selector(slo.namespace, slo.service)} | track=~"$track"'
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
            f"{slo.service}: logs",
            "Filter the lines by trace ID or text with the fields at the top.",
            {
                "Volume": (_volume(selected, "level"), _volume(selected, "track")),
                "Lines": (lines.span(24).height(14), errors.span(24)),
            },
        )
        .with_variable(
            label_variable(
                "track", "Track", f"label_values(beacon_build_info{{{slo.selector()}}}, track)"
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
