"""HTML page of a report. It loads nothing: styles, script and data are in the file."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from math import ceil

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from commands.control_characters import escape_control_characters
from commands.report.data import Kind, Line, Mark, Panel, Report, Table, clock

_PLOT_HEIGHT = 200
"""Of a panel without the legend, in pixels."""
_LEGEND_LINES = 4
"""Names in a row of the legend."""
_ROW_HEIGHT = 20
_STABLE_COLORS = ("#1f5fa8", "#6b9bd1", "#0b2f57")
_CANARY_COLORS = ("#d9730d", "#b3261e", "#8e44ad", "#c9a400", "#2e8b57", "#7a4a21", "#e377c2")
_MARK_COLORS: dict[Kind, str] = {"step": "#8a8f98", "verdict": "#1a7f37", "fault": "#b3261e"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2024; margin: 0 auto; max-width: 1100px;
       padding: 24px; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 17px; margin: 28px 0 2px; }
p { margin: 2px 0; color: #5b626b; }
.missing { background: #fff6e0; border-left: 4px solid #d9a400; color: #1c2024; margin: 16px 0;
           padding: 8px 14px; }
.missing ul { margin: 4px 0; padding-left: 20px; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; margin-top: 6px; width: 100%; }
th { background: #f1f3f5; text-align: left; white-space: nowrap; }
th, td { border-bottom: 1px solid #dfe3e8; padding: 4px 8px; vertical-align: top; }
td.line { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
.number { border-radius: 9px; color: #fff; display: inline-block; font-size: 11px; min-width: 18px;
          text-align: center; }
"""


def render(report: Report) -> str:
    """Return the page."""
    marks = sorted(report.marks, key=lambda mark: mark.at)
    colors = _colors(report.panels)
    time_zone = datetime.fromtimestamp(report.end).astimezone().tzname()
    parts = [
        f"<h1>{_text(report.title)}</h1>",
        f"<p>{clock(report.start)} to {clock(report.end)} ({_text(time_zone or '')})</p>",
        *_missing(report.missing),
        *(_table(one) for one in report.tables if not _is_long(one)),
        *_timeline(marks),
        *(part for panel in report.panels for part in _panel(panel, report, marks, colors)),
        *(_table(one) for one in report.tables if _is_long(one)),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{_text(report.title)}</title>\n<style>{_STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _text(value: str) -> str:
    return escape(escape_control_characters(value, keep="\t\n"))


def _missing(missing: Sequence[str]) -> Iterator[str]:
    if missing:
        items = "".join(f"<li>{_text(one)}</li>" for one in missing)
        yield f'<div class="missing">Not in this report:<ul>{items}</ul></div>'


def _is_long(table: Table) -> bool:
    """True for log lines, which come after the panels."""
    return len(table.columns) == 1


def _table(table: Table) -> str:
    kind = ' class="line"' if _is_long(table) else ""
    head = "".join(f"<th>{_text(name)}</th>" for name in table.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td{kind}>{_text(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    shown = "" if _is_long(table) else f"<tr>{head}</tr>"
    return f'<h2>{_text(table.title)}</h2>\n<div class="table"><table>{shown}{rows}</table></div>'


def _timeline(marks: Sequence[Mark]) -> Iterator[str]:
    if not marks:
        return
    rows = "".join(
        f'<tr><td><span class="number" style="background: {_MARK_COLORS[mark.kind]}">{number}'
        f"</span></td><td>{clock(mark.at)}</td><td>{_text(mark.text)}</td></tr>"
        for number, mark in enumerate(marks, start=1)
    )
    yield f'<h2>Events</h2>\n<div class="table"><table>{rows}</table></div>'


def _panel(
    panel: Panel, report: Report, marks: Sequence[Mark], colors: dict[str, str]
) -> Iterator[str]:
    yield f"<h2>{_text(panel.title)}</h2>"
    if panel.description:
        yield f"<p>{_text(panel.description)}</p>"
    figure = _figure(panel, report, marks, colors)
    # plotly escapes the JSON in the script, so no name can end it.
    yield figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={"displaylogo": False, "responsive": True, "displayModeBar": False},
    )


def _figure(
    panel: Panel, report: Report, marks: Sequence[Mark], colors: dict[str, str]
) -> "go.Figure":
    figure = go.Figure()
    for line in panel.lines:
        figure.add_scatter(
            x=[datetime.fromtimestamp(at) for at in line.times],
            y=list(line.values),
            name=escape(line.name),
            mode="lines",
            line={"color": colors[_series(line)], "dash": line.style, "width": 1.8},
        )
    for name, bound in panel.bounds:
        figure.add_hline(
            y=bound,
            line={"color": "#b3261e", "dash": "dash", "width": 1},
            annotation={"text": escape(name), "font": {"size": 11, "color": "#b3261e"}},
            annotation_position="top left",
        )
    for number, mark in enumerate(marks, start=1):
        color = _MARK_COLORS[mark.kind]
        at = datetime.fromtimestamp(mark.at)
        figure.add_vline(x=at, line={"color": color, "dash": "dot", "width": 1})
        figure.add_annotation(
            x=at,
            y=1 + 0.07 * (number % 2),  # numbers of two events at nearly the same time
            yref="paper",
            yanchor="bottom",
            text=str(number),
            showarrow=False,
            font={"size": 11, "color": color},
        )
    bottom = 44 + _ROW_HEIGHT * ceil(len(panel.lines) / _LEGEND_LINES)
    figure.update_layout(
        template="plotly_white",
        height=_PLOT_HEIGHT + bottom,
        # The legend is below, so that the time axes of all panels are aligned.
        margin={"l": 60, "r": 10, "t": 34, "b": bottom, "autoexpand": False},
        hovermode="x unified",
        showlegend=True,
        legend={"font": {"size": 11}, "orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
    )
    times = (datetime.fromtimestamp(report.start), datetime.fromtimestamp(report.end))
    figure.update_xaxes(range=times, type="date")
    figure.update_yaxes(title={"text": escape(panel.unit)}, rangemode="tozero")
    return figure


def _series(line: Line) -> str:
    """Track and version of a line: its name without the quantile."""
    return line.name.rpartition(" p")[0] or line.name


def _colors(panels: Sequence[Panel]) -> dict[str, str]:
    """Color of each track and version, the same in all panels.

    A line that has a track and no version has the color of the first version of the track.
    """
    colors: dict[str, str] = {}
    numbers = {False: 0, True: 0}
    for line in (line for panel in panels for line in panel.lines):
        name = _series(line)
        palette = _CANARY_COLORS if line.is_canary else _STABLE_COLORS
        if " " not in name:
            colors[name] = palette[0]
        elif name not in colors:
            colors[name] = palette[numbers[line.is_canary] % len(palette)]
            numbers[line.is_canary] += 1
    return colors
