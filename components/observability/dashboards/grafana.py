"""A dashboard as the JSON that Grafana reads, written with Grafana's own library."""

import json
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import common, dashboard, logs, loki, stat, table, timeseries
from grafana_foundation_sdk.builders import prometheus as promql
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as values
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from components.observability.dashboards.panel import (
    Bounds,
    Dashboard,
    Panel,
    Promql,
    Source,
    Target,
    Variable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

TAG = "slipway"
"""What every dashboard is tagged with; each links to all that are."""
_GOOD, _WARN, _WORSE = "green", "orange", "red"

_PanelBuilder = timeseries.Panel | stat.Panel | table.Panel | logs.Panel


def as_json(of: Dashboard) -> str:
    """The file's text."""
    builder = (
        dashboard.Dashboard(of.title)
        .uid(f"{TAG}-{of.name}")
        .description(of.description)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .time(f"now-{of.since}", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Other dashboards")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
    )
    for variable in of.variables:
        builder.with_variable(_variable(variable))
    if of.releases:
        builder.annotation(_releases(of.releases))
    numbers = iter(range(1, 1000))
    for row in of.rows:
        builder.with_row(dashboard.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            builder.with_panel(_panel(panel, next(numbers)))
    return json.dumps(builder.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _source(source: Source) -> model.DataSourceRef:
    return model.DataSourceRef(type_val=source, uid=source)


def _variable(of: Variable) -> dashboard.QueryVariable | dashboard.TextBoxVariable:
    if not of.values:
        return dashboard.TextBoxVariable(of.name).label(of.label).default_value(of.default)
    return (
        dashboard.QueryVariable(of.name)
        .label(of.label)
        .datasource(_source("prometheus"))
        .query({"query": of.values, "refId": of.name})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(of.anything)
        .current(model.VariableOption(text="All", value="$__all"))
    )


def _releases(expr: str) -> dashboard.AnnotationQuery:
    return (
        _Releases()
        .name("Releases")
        .datasource(_source("prometheus"))
        .enable(True)
        .icon_color("blue")
        .expr(expr)
    )


class _ReleaseQuery(model.AnnotationQuery):
    """With what the library's class has no field for: how Prometheus' answer is shown."""

    def to_json(self) -> dict[str, object]:
        shown = {"titleFormat": "{{version}}", "textFormat": "{{track}}", "step": "30s"}
        return {**super().to_json(), **shown}


class _Releases(dashboard.AnnotationQuery):
    def __init__(self) -> None:
        self._internal = _ReleaseQuery()


def _panel(of: Panel, number: int) -> _PanelBuilder:
    match of.kind:
        case "graph":
            panel = _graph(of)
        case "figure":
            panel = _figure(of)
        case "table":
            panel = table.Panel()
        case "lines":
            panel = _lines()
    panel.id(number).title(of.title).description(of.description).unit(of.unit)
    panel.datasource(_source(of.source)).span(of.width).height(of.height)
    if of.bounds:
        panel.thresholds(_thresholds(of.bounds))
    for letter, target in zip("ABCDEFGH", of.targets, strict=False):
        panel.with_target(_target(target, of, letter))
    return panel


def _graph(of: Panel) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(30 if of.stacked else 8)
        .show_points(values.VisibilityMode.AUTO)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(values.LegendDisplayMode.TABLE)
            .placement(values.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(values.TooltipDisplayMode.MULTI))
    )
    if of.stacked:
        panel.stacking(common.StackingConfig().mode(values.StackingMode.NORMAL).group("all"))
    if of.lowest is not None:
        panel.min(of.lowest)
    if of.highest is not None:
        panel.max(of.highest)
    if of.bounds:
        style = common.GraphThresholdsStyleConfig().mode(values.GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(style)
    return panel


def _figure(of: Panel) -> stat.Panel:
    return (
        stat.Panel()
        .color_mode(values.BigValueColorMode.VALUE)
        .graph_mode(values.BigValueGraphMode.NONE)
        .text_mode(
            values.BigValueTextMode.AUTO
            if len(of.targets) == 1 and "{{" not in of.targets[0].legend
            else values.BigValueTextMode.VALUE_AND_NAME
        )
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value("none")
    )


def _lines() -> logs.Panel:
    return (
        logs.Panel()
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(values.LogsSortOrder.DESCENDING)
        .dedup_strategy(values.LogsDedupStrategy.NONE)
    )


def _thresholds(of: Bounds) -> dashboard.ThresholdsConfig:
    high_is_bad = of.warn <= of.worse
    colours = (_GOOD, _WARN, _WORSE) if high_is_bad else (_WORSE, _WARN, _GOOD)
    starts: Iterator[float | None] = iter((None, *sorted((of.warn, of.worse))))
    steps = [model.Threshold(start, colour) for start, colour in zip(starts, colours, strict=True)]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _target(of: Target, panel: Panel, letter: str) -> promql.Dataquery | loki.Dataquery:
    now = panel.kind in ("figure", "table")
    if isinstance(of, Promql):
        query = promql.Dataquery().expr(of.expr).legend_format(of.legend).exemplar(of.exemplars)
        query = query.instant() if now else query.range()
        if panel.kind == "table":
            query.format(PromQueryFormat.TABLE)
    else:
        query = loki.Dataquery().expr(of.expr).legend_format(of.legend)
        query.query_type("instant" if now else "range")
    return query.ref_id(letter).datasource(_source(of.source))
