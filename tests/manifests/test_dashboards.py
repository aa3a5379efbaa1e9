"""Dashboards comply with the schema of Grafana."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.observability.dashboards import all_dashboards
from settings.stack_file import PROJECT_FOLDER
from tests.manifests.conftest import Run, run
from tests.unit.components.observability.servers import args_of, bundled

pytestmark = pytest.mark.timeout(900)

PANEL = {"title": "Jobs", "query": "sum(rate(jobs_total{$selector}[$__rate_interval]))"}
FILES = all_dashboards(args_of(bundled(services={"beacon": {"panels": [PANEL]}})))
Check = Callable[[str], str]


@pytest.fixture(scope="module")
def check(go: Run, tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Returns the errors of a dashboard, by the decoder that Grafana generates of its schema."""
    folder = tmp_path_factory.mktemp("dashboards")
    source = PROJECT_FOLDER / "tests" / "manifests" / "dashboards"
    built = go("build", "-o", folder / "dashboards", ".", cwd=source)
    assert built.returncode == 0, built.stderr

    def errors(text: str) -> str:
        file = Path(folder / "dashboard.json")
        file.write_text(text)
        result = run(folder / "dashboards", file)
        assert result.returncode == (1 if result.stdout else 0), result.stderr
        return result.stdout

    return errors


@pytest.mark.parametrize("file", FILES)
def test_a_dashboard_complies_with_the_schema_of_grafana(file: str, check: Check) -> None:
    assert check(FILES[file]) == ""


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (("fieldConfig", "defaults", "custom", "lineWidth"), "2", "lineWidth"),
        (("fieldConfig", "defaults", "custom", "lineWidht"), 2, "lineWidht"),
        (("options", "legend", "showLegend"), "yes", "showLegend"),
        (("targets", 0, "expression"), "up", "expression"),
    ],
)
def test_a_value_of_another_type_and_an_unknown_key_are_errors(
    path: tuple[str | int, ...], value: object, error: str, check: Check
) -> None:
    dashboard = json.loads(FILES["nodes.json"])
    node: Any = next(panel for panel in dashboard["panels"] if panel["type"] == "timeseries")
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    assert error in check(json.dumps(dashboard))
