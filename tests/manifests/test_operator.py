"""What is meant for the Prometheus operator is refused by its schemas where it would be wrong."""

from pathlib import Path

import pytest

from tests.manifests.test_checkers import kubeconform

pytestmark = pytest.mark.parametrize("rendered", ["prod-operator"], indirect=True)


@pytest.mark.parametrize(
    "change",
    [
        ("PodMonitor", "podMetricsEndpoints", "podMetricEndpoints"),
        ("PodMonitor", "targetLabel", "target_label"),
        ("PodMonitor", "interval: 15s", "interval: soon"),
        ("PrometheusRule", "expr:", "query:"),
    ],
)
def test_the_schemas_refuse_what_the_operator_would(
    checkers: Path, schemas: Path, rendered: Path, tmp_path: Path, change: tuple[str, str, str]
) -> None:
    kind, good, bad = change
    text = next(rendered.glob(f"*-{kind.lower()}-*.yaml")).read_text()
    assert good in text
    (tmp_path / "object.yaml").write_text(text.replace(good, bad))
    assert kubeconform(checkers, schemas, tmp_path / "object.yaml")["summary"]["valid"] == 0
