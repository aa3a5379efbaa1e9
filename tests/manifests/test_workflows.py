"""The workflows: valid, pinned, bounded, and without logic of their own."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.supply_chain.go import Go
from local.recipes import PLATFORM
from tests.manifests.conftest import PROJECT, run

FOLDER = PROJECT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yaml"))
ACTIONS = sorted((PROJECT / ".github" / "actions").rglob("action.yaml"))
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"
WRITES = {
    "attestations": {"deliver.yaml"},
    "contents": {"rollback.yaml"},
    "issues": {"drift.yaml"},
}


def _jobs() -> Iterator[Any]:
    for file in WORKFLOWS:
        for name, job in yaml.safe_load(file.read_text())["jobs"].items():
            yield pytest.param(file, job, id=f"{file.name}-{name}")


def actionlint(*files: Path) -> Any:
    return run(Go().tool(ACTIONLINT), "-no-color", *files)


def test_actionlint_finds_nothing() -> None:
    result = actionlint(*WORKFLOWS)
    assert (result.returncode, result.stdout) == (0, "")


def test_actionlint_finds_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "drift.yaml"
    file.write_text((FOLDER / "drift.yaml").read_text().replace("steps.check", "steps.chek"))
    assert 'property "chek" is not defined' in actionlint(file).stdout


@pytest.mark.parametrize("file", [*WORKFLOWS, *ACTIONS], ids=lambda file: file.name)
def test_every_action_is_pinned_by_commit_and_says_its_version(file: Path) -> None:
    used = re.findall(r"uses: (.*)", file.read_text())
    assert used
    for one in used:
        assert re.fullmatch(r"\./\S+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one


def test_an_action_has_one_version_everywhere() -> None:
    text = "".join(file.read_text() for file in [*WORKFLOWS, *ACTIONS])
    pins: dict[str, set[str]] = {}
    for name, pin in re.findall(r"uses: ([\w/-]+)@(.*)", text):
        pins.setdefault(name, set()).add(pin)
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize(("file", "job"), [*_jobs()])
def test_every_job_ends_by_itself_and_may_do_little(file: Path, job: Any) -> None:
    assert 0 < job["timeout-minutes"] <= 60
    assert isinstance(job["permissions"], dict)
    for what, level in job["permissions"].items():
        assert level == "read" or file.name in WRITES.get(what, {file.name}), (what, level)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_nothing_is_allowed_that_a_job_does_not_ask_for(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {}
    jobs = workflow["jobs"].values()
    assert "concurrency" in workflow or all("concurrency" in job for job in jobs)


@pytest.mark.parametrize(("file", "job"), [*_jobs()])
def test_steps_only_call_make(file: Path, job: Any) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (PROJECT / "Makefile").read_text()))
    for step in job["steps"]:
        command = step.get("run", "make help")
        if command == "true" or command.startswith("cat "):
            continue
        called = re.fullmatch(r"make ([a-z-]+)( [A-Z]+=\"[^\"]*\"| [A-Z]+=[a-z]+)*", command)
        assert called, command
        assert called[1] in targets


@pytest.mark.parametrize(("file", "job"), [*_jobs()])
def test_no_expression_is_pasted_into_a_shell(file: Path, job: Any) -> None:
    assert [step["run"] for step in job["steps"] if "${{" in step.get("run", "")] == []


def test_a_forks_code_meets_no_secret() -> None:
    workflow = yaml.safe_load((FOLDER / "pull-request.yaml").read_text())
    assert set(workflow[True]) == {"pull_request"}  # YAML reads "on" as true
    for name, job in workflow["jobs"].items():
        own = "head.repo.full_name == github.repository" in job.get("if", "")
        assert own or "secrets." not in str(job), name
        assert own or "id-token" not in job["permissions"], name


def test_a_deployment_waits_for_a_plan_and_an_approval_and_holds_up_no_rollback() -> None:
    jobs = yaml.safe_load((FOLDER / "deliver.yaml").read_text())["jobs"]
    assert (jobs["deploy"]["needs"], jobs["approve"]["needs"]) == ("approve", "plan")
    # Whoever waits for an approval holds what it has: only the deployment may hold the stack.
    rollback = yaml.safe_load((FOLDER / "rollback.yaml").read_text())["concurrency"]["group"]
    assert rollback.startswith("stack-")
    assert [name for name, job in jobs.items() if "stack-" in str(job.get("concurrency"))] == [
        "deploy"
    ]
    assert jobs["approve"]["environment"] != jobs["deploy"]["environment"]
    assert "secrets." not in str(jobs["approve"])


def test_every_stack_is_reviewed_and_checked_for_drift() -> None:
    """Also one that is added later, by its file alone."""
    for file, name in (("pull-request", "diff"), ("pull-request", "preview"), ("drift", "drift")):
        jobs = yaml.safe_load((FOLDER / f"{file}.yaml").read_text())["jobs"]
        assert "stacks" in jobs[name]["needs"]
        assert "needs.stacks.outputs.names" in jobs[name]["strategy"]["matrix"]["stack"]
    told = subprocess.run(
        ["make", "-s", "stacks"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    stacks = [file.name.split(".")[1] for file in sorted(PROJECT.glob("Pulumi.*.yaml"))]
    assert json.loads(told.stdout.removeprefix("names=")) == stacks


def test_the_cli_is_the_version_that_is_tested() -> None:
    version = PLATFORM.version_of("github.com/pulumi/pulumi/pkg/v3").removeprefix("v")
    assert f"pulumi-version: {version}\n" in ACTIONS[0].read_text()
