import json
import re
import subprocess
import sys
from typing import Any

import promql_parser
import pytest

from components.observability.dashboards import all_dashboards
from tests.unit.components.observability.dashboards.queries import queries
from tests.unit.components.observability.servers import args_of, bundled
from tests.unit.stacks import BEACON, DIGEST

PANEL = {"title": "Jobs", "query": "sum(rate(jobs_total{$selector}[$__rate_interval]))"}
STACK = bundled(
    services={
        "beacon": {
            "panels": [PANEL],
            "sidecars": [{"name": "proxy", "image": f"ghcr.io/org/proxy:1.0@{DIGEST}"}],
        },
        "hello": {**BEACON, "metrics": None, "routing": {"hosts": ["hello.localhost"]}},
    }
)
FILES = all_dashboards(args_of(STACK))
QUERIES = list(queries(FILES))


def panels(file: str) -> list[dict[str, Any]]:
    return [panel for panel in json.loads(FILES[file])["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("file", FILES)
def test_every_panel_has_a_description_a_unit_and_named_queries(file: str) -> None:
    for panel in panels(file):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"], panel["title"]
            assert target["legendFormat"], panel["title"]
        ref_ids = {target["refId"] for target in panel["targets"]}
        assert len(ref_ids) == len(panel["targets"]), panel["title"]


@pytest.mark.parametrize("file", FILES)
def test_panels_have_unique_ids_and_fill_each_line_of_the_grid(file: str) -> None:
    everything = json.loads(FILES[file])["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    widths: dict[int, int] = {}
    for panel in everything:
        position = panel["gridPos"]
        assert position["x"] == widths.get(position["y"], 0), panel["title"]
        widths[position["y"]] = position["x"] + position["w"]
    assert set(widths.values()) == {24}


def test_dashboards_have_unique_uids_and_titles() -> None:
    dashboards = [json.loads(text) for text in FILES.values()]
    assert len({dashboard["uid"] for dashboard in dashboards}) == len(dashboards)
    assert len({dashboard["title"] for dashboard in dashboards}) == len(dashboards)


def test_panels_use_the_provisioned_data_sources() -> None:
    uids = {panel["datasource"]["uid"] for file in FILES for panel in panels(file)}
    assert uids == {"prometheus", "loki"}


@pytest.mark.parametrize("file", FILES)
def test_every_variable_is_used(file: str) -> None:
    expressions = " ".join(target["expr"] for panel in panels(file) for target in panel["targets"])
    for variable in json.loads(FILES[file])["templating"].get("list") or []:
        assert f"${variable['name']}" in expressions


@pytest.mark.parametrize("file", FILES)
def test_every_query_is_valid_and_uses_only_defined_variables(file: str) -> None:
    for query in queries({file: FILES[file]}):
        assert "$" not in query.expr, query
        if query.source == "prometheus":
            promql_parser.parse(query.expr)


def test_network_panels_count_physical_interfaces_only() -> None:
    network = [query for query in QUERIES if 'id="/"' in query.expr]
    assert {query.panel for query in network} == {"Network", "Network errors"}
    for query in network:
        (virtual,) = re.findall(r'interface!~"([^"]*)"', query.expr)
        for name in ("lo", "cni0", "veth1a2b3c4d", "cali12ab", "flannel.1", "cilium_host", "lxc1a"):
            assert re.fullmatch(virtual, name), name
        for name in ("eth0", "ens5", "enp3s0", "eno1", "bond0", "wlan0"):
            assert not re.fullmatch(virtual, name), name


def test_usage_by_request_and_limit_counts_those_of_the_sidecars() -> None:
    usage = [query.expr for query in QUERIES if query.panel.endswith("usage by request and limit")]
    for resource in ("cpu", "memory"):
        for bound in ("requests", "limits"):
            counted = rf'kube_pod_init_container_resource_{bound}{{.*"{resource}",.*=~"proxy"}}'
            assert any(re.search(counted, expr) for expr in usage)


def test_dashboards_are_reproducible_and_the_same_for_any_service() -> None:
    args = args_of(STACK)
    assert all_dashboards(args) == FILES
    generic = {file: text for file, text in FILES.items() if not file.startswith("service-")}
    assert not [file for file, text in generic.items() if '="beacon"' in text]


def test_a_service_with_panels_of_its_own_has_a_dashboard_of_them() -> None:
    assert "service-hello.json" not in FILES
    (panel,) = panels("service-beacon.json")
    (target,) = panel["targets"]
    assert panel["title"] == "Jobs"
    assert 'jobs_total{namespace="beacon-test",service="beacon"}' in target["expr"]


@pytest.mark.parametrize("file", ["overview", "service", "objective", "workload", "logs"])
def test_dashboards_of_services_have_a_variable_for_the_service(file: str) -> None:
    variables = json.loads(FILES[f"{file}.json"])["templating"]["list"]
    assert variables[0]["name"] == "service"


def test_exemplars_are_those_of_the_services_own_histograms() -> None:
    exemplars = [
        target["expr"]
        for panel in panels("service.json")
        for target in panel["targets"]
        if target["exemplar"]
    ]
    (expr,) = exemplars
    assert '__name__=~"http_request_duration_seconds_bucket"' in expr


def test_grafanas_sdk_is_only_imported_for_dashboards() -> None:
    code = (
        "import sys; import components.observability.grafana;"
        "sys.exit(any('grafana_foundation_sdk' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
