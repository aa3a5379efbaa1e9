"""What checkov says of every rendering. Its exemptions stand beside kube-score's."""

import json
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.supply_chain.python_tool import python_tool
from tests.manifests.conftest import Shared, Variant, run

pytestmark = pytest.mark.timeout(900)

CHECKOV = "checkov==3.3.30"
Report = dict[str, Any]

EXEMPTIONS = yaml.safe_load((Path(__file__).parent / "exemptions.yaml").read_text())


@pytest.fixture(scope="module")
def checkov() -> Path:
    """In an environment of its own: it pins what the program needs newer."""
    return python_tool(CHECKOV, "checkov")


# The other variants hold the same kinds of objects.
SCANNED = ("dev", "prod-told")


@pytest.fixture(scope="module")
def report(checkov: Path, variant: Variant, shared: Shared) -> Report:
    """What checkov says of all of them, and of a broken one: it starts for ten seconds."""

    def fill(folder: Path) -> None:
        for name in SCANNED:
            shutil.copytree(variant(name), folder / "scanned" / name)
        text = next(variant("prod").glob("*-deployment-*.yaml")).read_text()
        broken = folder / "scanned" / "broken" / "deployment.yaml"
        broken.parent.mkdir()
        broken.write_text(text.replace("allowPrivilegeEscalation: false", "privileged: true"))
        result = run(
            *(checkov, "--directory", folder / "scanned", "--framework", "kubernetes"),
            *("--output", "json", "--compact", "--quiet", "--skip-download"),
        )
        assert result.stdout, result.stderr
        (folder / "report.json").write_text(result.stdout)

    return json.loads((shared("checkov", fill) / "report.json").read_text())


def findings(report: Report, name: str) -> Iterator[tuple[str, str]]:
    """Check and object of everything in one folder that failed."""
    for failed in report["results"]["failed_checks"]:
        if failed["file_path"].startswith(f"/{name}/"):
            kind, *_, of = failed["resource"].split(".")
            yield failed["check_id"], f"{kind}/{of}"


def test_every_file_is_read(report: Report, variant: Variant) -> None:
    objects = sum(len([*variant(name).glob("*.yaml")]) for name in SCANNED)
    assert report["summary"]["parsing_errors"] == 0
    # The pods of workloads count too.
    assert report["summary"]["resource_count"] > objects


@pytest.mark.parametrize("name", SCANNED)
def test_checkov_finds_nothing_that_is_not_argued(report: Report, name: str) -> None:
    unargued = [
        (check, found)
        for check, found in findings(report, name)
        if not any(
            exempt["check"] == check and fnmatch(found, exempt["object"]) for exempt in EXEMPTIONS
        )
    ]
    assert unargued == []


def test_checkov_finds_what_is_wrong(report: Report) -> None:
    assert ("CKV_K8S_16", "Deployment/beacon-stable") in [*findings(report, "broken")]
