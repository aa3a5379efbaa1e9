"""The GitHub workflows are valid, have few permissions, and deploy what was approved."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.supply_chain.go import Go
from commands.supply_chain.python_tool import python_tool
from local.recipes import PLATFORM
from settings.stack_file import PROJECT_FOLDER
from tests.manifests.conftest import run

FOLDER = PROJECT_FOLDER / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yaml"))
ACTIONS_FOLDER = PROJECT_FOLDER / ".github" / "actions"
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"
ZIZMOR = "zizmor==1.32.0"
WRITES = {
    "attestations": {"deliver.yaml"},
    "contents": {"rollback.yaml"},
    "issues": {"drift.yaml"},
}


def _jobs() -> Iterator[Any]:
    for file in WORKFLOWS:
        for name, job in yaml.safe_load(file.read_text())["jobs"].items():
            yield pytest.param(file, job, id=f"{file.name}-{name}")


def test_actionlint_finds_no_error() -> None:
    result = run(Go().tool(ACTIONLINT), "-no-color", *WORKFLOWS)
    assert (result.returncode, result.stdout) == (0, "")


def test_zizmor_finds_no_vulnerability() -> None:
    """For example, actions that are not pinned, or expressions in shell scripts."""
    result = run(
        *(python_tool(ZIZMOR, "zizmor"), "--offline", "--no-progress", FOLDER.parent),
        *("--min-severity", "medium", "--min-confidence", "medium"),
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("file", "job"), [*_jobs()])
def test_every_job_has_a_timeout_and_few_permissions(file: Path, job: Any) -> None:
    assert 0 < job["timeout-minutes"] <= 60
    assert isinstance(job["permissions"], dict)
    for what, level in job["permissions"].items():
        assert level == "read" or file.name in WRITES.get(what, {file.name}), (what, level)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_permissions_and_concurrency_are_set_per_job(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {}
    jobs = workflow["jobs"].values()
    assert "concurrency" in workflow or all("concurrency" in job for job in jobs)


@pytest.mark.parametrize(("file", "job"), [*_jobs()])
def test_every_make_target_exists(file: Path, job: Any) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (PROJECT_FOLDER / "Makefile").read_text()))
    called = {
        target
        for step in job["steps"]
        for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))
    }
    assert called <= targets


def test_code_of_a_fork_gets_no_secret() -> None:
    workflow = yaml.safe_load((FOLDER / "pull-request.yaml").read_text())
    assert set(workflow[True]) == {"pull_request"}  # YAML reads "on" as true
    for name, job in workflow["jobs"].items():
        own = "head.repo.full_name == github.repository" in job.get("if", "")
        assert own or "secrets." not in str(job), name
        assert own or "id-token" not in job["permissions"], name


def test_a_deployment_waits_for_an_approved_plan_and_does_not_block_a_rollback() -> None:
    jobs = yaml.safe_load((FOLDER / "deliver.yaml").read_text())["jobs"]
    assert (jobs["deploy"]["needs"], jobs["approve"]["needs"]) == ("approve", "plan")
    # A job that waits for an approval keeps its concurrency group, so only the deployment has the
    # stack's.
    rollback = yaml.safe_load((FOLDER / "rollback.yaml").read_text())["concurrency"]["group"]
    assert rollback.startswith("stack-")
    assert [name for name, job in jobs.items() if "stack-" in str(job.get("concurrency"))] == [
        "deploy"
    ]
    assert jobs["approve"]["environment"] != jobs["deploy"]["environment"]
    assert "secrets." not in str(jobs["approve"])


def test_every_stack_is_reviewed_and_checked_for_drift() -> None:
    """The stacks are listed from their files, so a new one is included."""
    for file, name in (("pull-request", "diff"), ("pull-request", "preview"), ("drift", "drift")):
        jobs = yaml.safe_load((FOLDER / f"{file}.yaml").read_text())["jobs"]
        assert "stacks" in jobs[name]["needs"]
        assert "needs.stacks.outputs.names" in jobs[name]["strategy"]["matrix"]["stack"]
    listed = subprocess.run(
        ["make", "-s", "stacks"], cwd=PROJECT_FOLDER, capture_output=True, text=True, check=True
    )
    stacks = [file.name.split(".")[1] for file in sorted(PROJECT_FOLDER.glob("Pulumi.*.yaml"))]
    assert json.loads(listed.stdout.removeprefix("names=")) == stacks


def test_the_cli_has_the_tested_version() -> None:
    version = PLATFORM.version_of("github.com/pulumi/pulumi/pkg/v3").removeprefix("v")
    assert f"pulumi-version: {version}\n" in (ACTIONS_FOLDER / "setup" / "action.yaml").read_text()


GH = """\
#!/bin/sh
echo "$@" >> "$CALLS"
[ "$1 $2" != "issue list" ] || echo "$OPEN_ISSUE"
"""


@pytest.mark.parametrize(
    ("step", "open_issue", "calls"),
    [
        ("Open or update the issue", "", ["label create drift-prod", "issue create"]),
        ("Open or update the issue", "7", ["issue edit 7 --body-file out.md"]),
        ("Close the issue", "7", ["issue close --comment No drift any more. 7"]),
        ("Close the issue", "", []),
    ],
)
def test_drift_has_one_issue_per_stack(
    step: str, open_issue: str, calls: list[str], tmp_path: Path
) -> None:
    jobs = yaml.safe_load((FOLDER / "drift.yaml").read_text())["jobs"]
    (script,) = (one["run"] for one in jobs["drift"]["steps"] if one.get("name") == step)
    gh = tmp_path / "gh"
    gh.write_text(GH)
    gh.chmod(0o755)
    variables = {"STACK": "prod", "LABEL": "drift-prod", "FILE": "out.md"}
    subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        env={
            **variables,
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "CALLS": str(tmp_path / "calls"),
            "OPEN_ISSUE": open_issue,
        },
        check=True,
    )
    listed, *changes = (tmp_path / "calls").read_text().splitlines()
    assert listed.startswith("issue list --label drift-prod")
    assert len(changes) == len(calls)
    assert all(change.startswith(call) for change, call in zip(changes, calls, strict=True))
