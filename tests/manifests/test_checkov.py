"""What checkov says of every rendering. Its exemptions stand beside kube-score's."""

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from commands.supply_chain import python_tool
from tests.manifests.conftest import run

pytestmark = pytest.mark.timeout(900)

CHECKOV = "checkov==3.3.30"
EXEMPTIONS = yaml.safe_load((Path(__file__).parent / "exemptions.yaml").read_text())


@pytest.fixture(scope="module")
def checkov() -> Path:
    """In an environment of its own: it pins what the program needs newer."""
    return python_tool(CHECKOV, "checkov")


def findings(checkov: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Check and object of everything that failed."""
    result = run(
        *(checkov, "--directory", folder, "--framework", "kubernetes"),
        *("--output", "json", "--compact", "--quiet", "--skip-download"),
    )
    report = json.loads(result.stdout)
    assert report["summary"]["resource_count"] > 0, result.stderr
    assert report["summary"]["parsing_errors"] == 0
    for failed in report["results"]["failed_checks"]:
        kind, *_, name = failed["resource"].split(".")
        yield failed["check_id"], f"{kind}/{name}"


# The other variants hold the same kinds of objects, and checkov takes ten seconds for each.
@pytest.mark.parametrize("rendered", ["dev", "prod-told"], indirect=True)
def test_checkov_finds_nothing_that_is_not_argued(checkov: Path, rendered: Path) -> None:
    unargued = [
        (check, found)
        for check, found in findings(checkov, rendered)
        if not any(
            exempt["check"] == check and fnmatch(found, exempt["object"]) for exempt in EXEMPTIONS
        )
    ]
    assert unargued == []


@pytest.mark.parametrize("rendered", ["prod"], indirect=True)
def test_checkov_finds_what_is_wrong(checkov: Path, rendered: Path, tmp_path: Path) -> None:
    text = next(rendered.glob("*-deployment-*.yaml")).read_text()
    (tmp_path / "deployment.yaml").write_text(
        text.replace("allowPrivilegeEscalation: false", "privileged: true")
    )
    assert ("CKV_K8S_16", "Deployment/beacon-stable") in [*findings(checkov, tmp_path)]
