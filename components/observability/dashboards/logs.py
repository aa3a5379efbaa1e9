"""The service's log lines: how many, which went wrong, and those of one trace."""

from components.observability.dashboards.panel import Dashboard, Logql, Panel, Row, Variable
from components.observability.dashboards.scope import Scope


def dashboard(scope: Scope) -> Dashboard:
    """The dashboard of the log lines."""
    chosen = f'{scope.logs} | track=~"$track"'
    return Dashboard(
        "logs",
        f"{scope.service}: logs",
        "Type a trace's id or any text above to see only those lines.",
        rows=(
            Row(
                "How many",
                (
                    _count(chosen, "level", "Lines by level"),
                    _count(chosen, "track", "Lines by track"),
                ),
            ),
            Row("Lines", (_lines(chosen), _errors(chosen))),
        ),
        variables=(
            Variable(
                "track", "Track", f"label_values(beacon_build_info{{{scope.requests}}}, track)"
            ),
            Variable("trace", "Trace id"),
            Variable("text", "Text"),
        ),
    )


def _count(chosen: str, label: str, title: str) -> Panel:
    return Panel(
        title,
        "Lines per interval. A sudden change is often the first sign of trouble.",
        "short",
        (Logql(f"sum by ({label}) (count_over_time({chosen} [$__interval]))", f"{{{{{label}}}}}"),),
        stacked=True,
    )


def _lines(chosen: str) -> Panel:
    return Panel(
        "Lines",
        "The newest first; those of the trace, and with the text, that were typed in above. Open "
        "one to see its fields and the trace that it belongs to.",
        "short",
        (Logql(f'{chosen} | trace_id=~"$trace.*" |= "$text"', "{{level}}"),),
        "lines",
        width=24,
        height=14,
    )


def _errors(chosen: str) -> Panel:
    return Panel(
        "Error lines",
        "Lines of the levels error and fatal, whatever was typed in.",
        "short",
        (
            Logql(
                f'{chosen} | level=~"error|fatal"',
                "{{level}}",
                empty="nothing was logged as an error",
            ),
        ),
        "lines",
        width=24,
    )
