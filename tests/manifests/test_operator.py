"""What the Prometheus operator's own schemas say of the objects that are meant for it."""

import json
from pathlib import Path

import pytest
import yaml

from components.observability.operator import OperatorObjects
from settings import load
from tests.manifests.test_checkers import kubeconform
from tests.unit.harness import run


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the objects of the prod stack in mode ``operator``."""
    folder = tmp_path_factory.mktemp("operator")
    for number, one in enumerate(
        run(lambda: OperatorObjects("watch", {"settings": load("prod")})).resources.values()
    ):
        if not one.type.startswith("slipway:"):
            (folder / f"{number}-{one.name}.yaml").write_text(yaml.safe_dump(one.inputs))
    return folder


def test_every_object_is_valid_for_the_operator(
    checkers: Path, schemas: Path, objects: Path
) -> None:
    files = sorted(objects.iterdir())
    report = kubeconform(checkers, schemas, *files)
    assert report["resources"] == []
    assert report["summary"]["valid"] == len(files) > 5
    assert {"PodMonitor", "PrometheusRule"} <= {
        yaml.safe_load(file.read_text())["kind"] for file in files
    }


@pytest.mark.parametrize(
    "change",
    [
        ("PodMonitor", "podMetricsEndpoints", "podMetricEndpoints"),
        ("PodMonitor", "targetLabel", "target_label"),
        ("PodMonitor", '"15s"', '"soon"'),
        ("PrometheusRule", '"expr"', '"query"'),
    ],
)
def test_the_schemas_refuse_what_the_operator_would(
    checkers: Path, schemas: Path, objects: Path, tmp_path: Path, change: tuple[str, str, str]
) -> None:
    kind, good, bad = change
    text = next(
        json.dumps(document)
        for document in (yaml.safe_load(file.read_text()) for file in sorted(objects.iterdir()))
        if document["kind"] == kind
    )
    assert good in text
    (tmp_path / "object.yaml").write_text(text.replace(good, bad))
    assert kubeconform(checkers, schemas, tmp_path / "object.yaml")["summary"]["valid"] == 0
