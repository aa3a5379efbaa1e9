"""What every dashboard has: read from the JSON that Grafana reads, and from the queries in it."""

import json
import re
import subprocess
import sys
from typing import Any

import promql_parser
import pytest

from components.observability.dashboards import all_dashboards
from components.observability.dashboards.scope import Scope
from components.observability.dashboards.selection import Query, dashboards, queries
from tests.unit.components.observability.made import slo_of
from tests.unit.stacks import settings

STACK = settings(namespace={"name": "beacon-dev"})
SCOPE = Scope(slo_of(STACK), "monitoring")
FILES = all_dashboards(SCOPE.slo, SCOPE.monitoring)
QUERIES = list(queries(dashboards(SCOPE)))


def panels(file: str) -> list[dict[str, Any]]:
    return [panel for panel in json.loads(FILES[file])["panels"] if panel["type"] != "row"]


def title(query: Query) -> str:
    return f"{query.dashboard}:{query.title}"


PANELS = [
    pytest.param(panel, id=f"{file}:{panel['title']}") for file in FILES for panel in panels(file)
]


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"].split()) > 3
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_asks_something_and_names_the_answer(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["expr"]
        assert target["datasource"] == panel["datasource"]
        assert target["legendFormat"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    if panel["type"] == "timeseries":
        assert panel["options"]["legend"]["showLegend"]


@pytest.mark.parametrize("file", FILES)
def test_numbers_and_places_are_taken_once(file: str) -> None:
    everything = json.loads(FILES[file])["panels"]
    numbers = [panel["id"] for panel in everything]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells


@pytest.mark.parametrize("file", FILES)
def test_no_line_of_panels_ends_early(file: str) -> None:
    widths: dict[int, int] = {}
    for panel in json.loads(FILES[file])["panels"]:
        at = panel["gridPos"]
        widths[at["y"]] = widths.get(at["y"], 0) + at["w"]
    assert set(widths.values()) == {24}


def test_uids_and_titles_are_taken_once() -> None:
    boards = [json.loads(text) for text in FILES.values()]
    assert len({board["uid"] for board in boards}) == len(boards)
    assert len({board["title"] for board in boards}) == len(boards)
    assert all(8 <= len(board["uid"]) <= 40 for board in boards)


def test_data_sources_are_the_provisioned_ones() -> None:
    uids = {panel["datasource"]["uid"] for file in FILES for panel in panels(file)}
    assert uids <= {"prometheus", "loki"}


@pytest.mark.parametrize("file", FILES)
def test_every_variable_is_used(file: str) -> None:
    board = json.loads(FILES[file])
    asked = " ".join(target["expr"] for panel in panels(file) for target in panel["targets"])
    for variable in board["templating"].get("list") or []:
        assert f"${variable['name']}" in asked


@pytest.mark.parametrize("query", QUERIES, ids=title)
def test_no_query_holds_a_variable_that_nothing_fills(query: Query) -> None:
    assert "$" not in query.expr


@pytest.mark.parametrize(
    "query", [query for query in QUERIES if query.source == "prometheus"], ids=title
)
def test_every_query_to_prometheus_is_promql(query: Query) -> None:
    promql_parser.parse(query.expr)


def test_what_is_no_promql_is_found() -> None:
    with pytest.raises(ValueError):
        promql_parser.parse("sum by (le) (rate(x[5m])")


def test_a_nodes_bytes_are_counted_once_on_their_way_to_a_pod() -> None:
    asked = [query for query in QUERIES if 'id="/"' in query.expr]
    assert {query.title for query in asked} == {"Network", "Network errors"}
    for query in asked:
        (virtual,) = re.findall(r'interface!~"([^"]*)"', query.expr)
        for name in ("lo", "cni0", "veth1a2b3c4d", "cali12ab", "flannel.1", "cilium_host", "lxc1a"):
            assert re.fullmatch(virtual, name), name
        for name in ("eth0", "ens5", "enp3s0", "eno1", "bond0", "wlan0"):
            assert not re.fullmatch(virtual, name), name


def test_the_same_stack_gets_the_same_dashboards() -> None:
    assert all_dashboards(SCOPE.slo, SCOPE.monitoring) == FILES


def test_another_stack_gets_its_own() -> None:
    other = settings(service={"name": "shop"}, namespace={"name": "shop-prod"})
    text = "".join(all_dashboards(slo_of(other), "monitoring").values())
    assert "beacon-dev" not in text
    assert "shop-prod" in text


def test_who_deploys_no_grafana_does_not_import_its_library() -> None:
    code = (
        "import sys; import components.observability.dashboards;"
        "sys.exit(any('grafana_foundation_sdk' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
