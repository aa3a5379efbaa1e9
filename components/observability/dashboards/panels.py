"""Queries, panels and dashboards in the style of this project, built with Grafana's SDK.

Callers set what differs from the defaults with the SDK's methods, such as ``span`` and ``height``.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import common, dashboard, logs, loki, stat, table, timeseries
from grafana_foundation_sdk.builders import prometheus as promql
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from components.observability.annotations import release_tags
from components.observability.queries import PODS

Panel = timeseries.Panel | stat.Panel | table.Panel | logs.Panel
_P = TypeVar("_P", timeseries.Panel, stat.Panel, table.Panel, logs.Panel)
_TAG = "slipway"
_PROMETHEUS = models.DataSourceRef(type_val="prometheus", uid="prometheus")
_LOKI = models.DataSourceRef(type_val="loki", uid="loki")
_GRAFANA = models.DataSourceRef(type_val="grafana", uid="-- Grafana --")


def query(expr: str, legend: str, *, exemplars: bool = False) -> promql.Dataquery:
    """Prometheus range query. ``exemplars`` shows traces as points."""
    target = promql.Dataquery().expr(expr).legend_format(legend).exemplar(exemplars).range()
    return target.datasource(_PROMETHEUS)


def log_query(expr: str, legend: str) -> loki.Dataquery:
    """Loki range query."""
    target = loki.Dataquery().expr(expr).legend_format(legend).query_type("range")
    return target.datasource(_LOKI)


def graph(
    title: str,
    description: str,
    unit: str,
    *queries: promql.Dataquery | loki.Dataquery,
    stacked: bool = False,
    thresholds: tuple[float, float] | None = None,
    from_zero: bool = True,
) -> timeseries.Panel:
    """Time series. ``thresholds`` are those for warning and critical."""
    panel = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .show_points(common_models.VisibilityMode.AUTO)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(common_models.LegendDisplayMode.TABLE)
            .placement(common_models.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
    )
    if stacked:
        normal = common_models.StackingMode.NORMAL
        panel.stacking(common.StackingConfig().mode(normal).group("all"))
    if from_zero:
        panel.min(0)
    if thresholds:
        dashed = common_models.GraphThresholdsStyleMode.DASHED
        panel.thresholds(_thresholds(*thresholds))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(dashed))
    return _describe(panel, title, description, unit, queries)


def big_number(
    title: str,
    description: str,
    unit: str,
    *queries: promql.Dataquery,
    thresholds: tuple[float, float] | None = None,
) -> stat.Panel:
    """Current value of each query, colored by ``thresholds`` for warning and critical."""
    text_mode = common_models.BigValueTextMode
    panel = (
        stat.Panel()
        .color_mode(common_models.BigValueColorMode.VALUE)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .text_mode(text_mode.AUTO if len(queries) == 1 else text_mode.VALUE_AND_NAME)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value("none")
    )
    if thresholds:
        panel.thresholds(_thresholds(*thresholds))
    instant = [target.instant() for target in queries]
    return _describe(panel, title, description, unit, instant).height(4)


def value_table(title: str, description: str, target: promql.Dataquery) -> table.Panel:
    """Current value and labels of each series."""
    instant = target.instant().format(PromQueryFormat.TABLE)
    return _describe(table.Panel(), title, description, "short", [instant])


def log_lines(title: str, description: str, expr: str) -> logs.Panel:
    """Log lines, newest first."""
    panel = (
        logs.Panel()
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(common_models.LogsSortOrder.DESCENDING)
        .dedup_strategy(common_models.LogsDedupStrategy.NONE)
    )
    return _describe(panel, title, description, "short", [log_query(expr, "{{level}}")])


def _describe(
    panel: _P,
    title: str,
    description: str,
    unit: str,
    queries: Sequence[promql.Dataquery | loki.Dataquery],
) -> _P:
    panel.title(title).description(description).unit(unit).span(12).height(8)
    panel.datasource(_LOKI if isinstance(queries[0], loki.Dataquery) else _PROMETHEUS)
    for ref_id, target in zip("ABCDEFGH", queries, strict=False):
        panel.with_target(target.ref_id(ref_id))
    return panel


def _thresholds(warning: float, critical: float) -> dashboard.ThresholdsConfig:
    """Colors of the values. With ``critical`` below ``warning``, low values are critical."""
    colors = ("green", "orange", "red") if warning <= critical else ("red", "orange", "green")
    starts = (None, *sorted((warning, critical)))
    steps = [models.Threshold(start, color) for start, color in zip(starts, colors, strict=True)]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def label_variable(name: str, label: str, values: str) -> dashboard.QueryVariable:
    """Drop-down list with the values of a label: ``values`` is a ``label_values()`` query."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(_PROMETHEUS)
        .query({"query": values, "refId": name})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(text="All", value="$__all"))
    )


def service_variable(namespace: str) -> dashboard.QueryVariable:
    """Drop-down list ``service`` of the services in ``namespace``, one of which is selected."""
    return (
        dashboard.QueryVariable("service")
        .label("Service")
        .datasource(_PROMETHEUS)
        .query(
            {
                "query": f'label_values({PODS}{{namespace="{namespace}"}}, service)',
                "refId": "service",
            }
        )
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


class _ReleaseQuery(models.AnnotationQuery):
    """Adds fields of Prometheus annotations that the SDK lacks."""

    def to_json(self) -> dict[str, object]:
        fields = {"titleFormat": "{{version}}", "textFormat": "{{track}}", "step": "30s"}
        return {**super().to_json(), **fields}


class _ReleaseAnnotation(dashboard.AnnotationQuery):
    def __init__(self) -> None:
        self._internal = _ReleaseQuery()


def release_annotation(service_selector: str) -> dashboard.AnnotationQuery:
    """Vertical line when a track starts to run another version."""
    by_version = "sum by (track, version)"
    running = f"{PODS}{{{service_selector}}}"
    return (
        _ReleaseAnnotation()
        .name("Releases")
        .datasource(_PROMETHEUS)
        .enable(True)
        .icon_color("blue")
        .expr(f"{by_version} ({running}) unless {by_version} ({running} offset 1m)")
    )


def decision_annotation(namespace: str, service: str) -> dashboard.AnnotationQuery:
    """Vertical line for each promotion and rollback; the release commands create them."""
    tags = [*release_tags(namespace, service)]
    return (
        dashboard.AnnotationQuery()
        .name("Promotions and rollbacks")
        .datasource(_GRAFANA)
        .enable(True)
        .icon_color("purple")
        .target(dashboard.AnnotationTarget().type("tags").tags(tags).match_any(False).limit(100))
    )


def new_dashboard(
    title: str, description: str, rows: Mapping[str, Sequence[Panel]], *, time_range: str = "1h"
) -> dashboard.Dashboard:
    """Dashboard with rows of panels, which shows the last ``time_range`` by default."""
    builder = (
        dashboard.Dashboard(title)
        .description(description)
        .tags([_TAG])
        .readonly()
        .timezone("browser")
        .time(f"now-{time_range}", "now")
        .refresh("30s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Other dashboards")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([_TAG])
            .include_vars(True)
            .keep_time(True)
        )
    )
    for row, panels in rows.items():
        builder.with_row(dashboard.Row(row))
        for panel in panels:
            builder.with_panel(panel)
    return builder


def to_json(name: str, builder: dashboard.Dashboard) -> str:
    """JSON of a dashboard, with a stable uid and panel IDs."""
    model = builder.uid(f"{_TAG}-{name}").build()
    for number, panel in enumerate(model.panels or [], start=1):
        panel.id_val = number
    return json.dumps(model, cls=JSONEncoder, indent=1, sort_keys=True) + "\n"
