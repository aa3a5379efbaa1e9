"""The GitHub workflows are valid, have few permissions, and deploy what was approved."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.go import Go
from commands.supply_chain.python_tool import python_tool
from local.recipes import PLATFORM, TRIVY
from settings.stack_file import PROJECT_FOLDER
from tests.manifests.conftest import run

FOLDER = PROJECT_FOLDER / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yaml"))
ACTIONS_FOLDER = PROJECT_FOLDER / ".github" / "actions"
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"
WRITES = {
    "attestations": {"attest.yaml", "deliver.yaml", "gitops.yaml"},
    "actions": {"rollback.yaml"},
    "contents": {
        "deliver.yaml",
        "gitops.yaml",
        "release.yaml",
        "restore-release.yaml",
        "rollback.yaml",
    },
    "issues": {"drift.yaml"},
}
REVIEWED = {"push", "schedule", "workflow_call", "workflow_dispatch"}
"""Events that run the code of main, or of a tag that only maintainers create. Only workflows with
these events call others."""


def _load(name: str) -> Any:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text())


def _jobs() -> Iterator[tuple[Path, str, Any]]:
    for file in WORKFLOWS:
        for name, job in yaml.load(file.read_text(), Loader=yaml.CSafeLoader)["jobs"].items():
            yield file, name, job


def _runs_code(job: Any) -> bool:
    return any("checkout" in str(step.get("uses")) for step in job.get("steps", ()))


def test_actionlint_finds_no_error() -> None:
    result = run(Go().tool(ACTIONLINT), "-no-color", *WORKFLOWS)
    assert (result.returncode, result.stdout) == (0, "")


def test_zizmor_finds_no_vulnerability() -> None:
    """For example, actions that are not pinned, or expressions in shell scripts."""
    result = run(
        *(python_tool("zizmor"), "--offline", "--no-progress", FOLDER.parent),
        *("--min-severity", "medium", "--min-confidence", "medium"),
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_job_has_a_timeout_and_few_permissions() -> None:
    for file, name, job in _jobs():
        # A called workflow has timeouts of its own. All tests take hours.
        if "uses" not in job:
            limit = 480 if "self-hosted" in job["runs-on"] else 60
            assert 0 < job["timeout-minutes"] <= limit, (file, name)
        assert isinstance(job["permissions"], dict), (file, name)
        for what, level in job["permissions"].items():
            is_expected = level == "read" or file.name in WRITES.get(what, {file.name})
            assert is_expected, (file, name, what, level)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_permissions_are_set_per_job(file: Path) -> None:
    assert yaml.safe_load(file.read_text())["permissions"] == {}


@pytest.mark.parametrize(
    "name",
    [
        *("deliver", "drift", "drill", "gitops", "pull-request", "release", "restore-release"),
        "slow-tests",
    ],
)
def test_a_newer_run_does_not_run_beside_an_older_one(name: str) -> None:
    workflow = _load(name)
    jobs = workflow["jobs"].values()
    assert "concurrency" in workflow or all("concurrency" in job for job in jobs)


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (PROJECT_FOLDER / "Makefile").read_text()))
    for file, name, job in _jobs():
        for step in job.get("steps", ()):
            called = set(re.findall(r"\bmake ([a-z-]+)", step.get("run", "")))
            assert called <= targets, (file, name)


@pytest.mark.parametrize(
    ("file", "job"),
    [pytest.param(file, job, id=f"{file.name}-{name}") for file, name, job in _jobs()],
)
def test_unreviewed_code_meets_no_secret(file: Path, job: Any) -> None:
    workflow = yaml.safe_load(file.read_text())
    events = set(workflow[True])  # YAML reads "on" as true
    assert events <= {*REVIEWED, "pull_request"}
    assert "uses" not in job or events <= REVIEWED
    runs_code = _runs_code(job)
    is_privileged = "secrets." in str(job) or "write" in job["permissions"].values()
    if not (runs_code and is_privileged):
        return
    if events <= REVIEWED:
        assert "secrets." not in str(job) or "environment" in job
        return
    # The matrix has only the environments that require a review of the run.
    assert job["environment"] == "preview-${{ matrix.stack }}"
    assert job["strategy"]["matrix"]["stack"] == "${{ fromJSON(needs.protected.outputs.stacks) }}"
    (checkout,) = (step for step in job["steps"] if "checkout" in str(step.get("uses")))
    assert checkout["with"]["ref"] == "${{ github.sha }}"
    assert "head.repo.full_name == github.repository" in workflow["jobs"]["protected"]["if"]


def test_the_documentation_names_the_secrets_of_every_job() -> None:
    text = (PROJECT_FOLDER / "docs" / "workflows.md").read_text()
    table = text.partition("\n| --- | --- | --- | --- |\n")[2].partition("\n\n")[0]
    documented = {
        (workflow, job): (code, granted)
        for workflow, job, code, granted in re.findall(
            r"(?m)^\| ([\w-]+) \| ([\w-]+) \| (.+?) \| (.+?) \|$", table
        )
    }
    for file in WORKFLOWS:
        for name, job in yaml.load(file.read_text(), Loader=yaml.CSafeLoader)["jobs"].items():
            code, granted = documented.pop((file.stem, name))
            assert code.startswith("none") is not _runs_code(job), name
            permissions = {what for what, level in job["permissions"].items() if level == "write"}
            names = {*re.findall(r"secrets\.(\w+)", str(job)), *permissions} - {"id-token"}
            assert set(re.findall(r"`(\w[\w-]*)`", granted)) - {"dev", "prod"} == names, name
            role = "id-token" in permissions
            assert ("cloud role" in granted or "signature" in granted) is role, name
            assert (granted == "none") is not (names or role), name
    assert documented == {}


def test_a_deployment_waits_for_an_approved_plan() -> None:
    jobs = _load("deliver")["jobs"]
    assert (jobs["deploy"]["needs"], jobs["approve"]["needs"]) == ("approve", "plan")
    assert jobs["approve"]["environment"] != jobs["deploy"]["environment"]


def test_a_rollback_waits_for_no_run_and_no_run_replaces_it() -> None:
    workflow = _load("rollback")
    assert "concurrency" not in str(workflow)
    # A job that waits for an approval would delay it.
    assert workflow["jobs"]["rollback"]["environment"] == "${{ inputs.stack }}"


_AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@example.com")


def _script(workflow: str, job: str, step: str) -> str:
    steps = _load(workflow)["jobs"][job]["steps"]
    (script,) = (one["run"] for one in steps if one.get("name") == step)
    return script


def _run_with_gh(folder: Path, script: str, gh: str, **variables: str) -> Any:
    """Run a step's script with a fake `gh`; its output file is returned as `stdout`."""
    program, output = folder / "gh", folder / "output"
    program.write_text(f"#!/bin/bash\n{gh}\n")
    program.chmod(0o755)
    output.touch()
    result = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        env={
            **variables,
            "PATH": f"{folder}:/usr/bin:/bin",
            "CALLS": str(folder / "calls"),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_REPOSITORY": "owner/name",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    result.stdout = output.read_text()
    return result


RUNS = """\
if [ "$1 $2" = "run list" ]; then
  filter="${@: -1}"
  [ "$4 $6" != "deliver.yaml in_progress" ] || jq -r "$filter" <<< '[
    {"databaseId": 1, "displayTitle": "Deliver v1.2.0 to prod"},
    {"databaseId": 2, "displayTitle": "Deliver main to dev"}]'
  [ "$4 $6" != "release.yaml waiting" ] || jq -r "$filter" <<< '[
    {"databaseId": 4, "displayTitle": "release beacon 1.2.0 to prod"},
    {"databaseId": 5, "displayTitle": "release beacon 1.2.0 to dev"}]'
  [ "$4 $6" != "drift.yaml queued" ] || jq -r "$filter" <<< '[
    {"databaseId": 3, "displayTitle": "Drift"}]'
else
  echo "$@" >> "$CALLS"
fi"""


def test_a_rollback_cancels_the_deliveries_and_releases_to_its_stack(tmp_path: Path) -> None:
    script = _script("rollback", "cancel", "Cancel the runs and wait for their end")
    result = _run_with_gh(tmp_path, script, RUNS, STACK="prod")
    assert (result.returncode, result.stdout) == (0, "runs=1 4 3\n"), result.stderr
    assert (tmp_path / "calls").read_text().splitlines() == [
        *(f"run {command} {run}" for command in ("cancel", "watch") for run in (1, 4, 3)),
    ]
    assert _load("deliver")["run-name"].endswith(
        "to ${{ github.ref_type == 'tag' && 'prod' || 'dev' }}"
    )
    assert _load("release")["run-name"].endswith(" to ${{ inputs.stack }}")


@pytest.mark.parametrize(
    ("status", "is_reviewed"),
    [("identical", True), ("behind", True), ("ahead", False), ("diverged", False)],
)
def test_a_rollback_deploys_only_a_commit_of_the_default_branch(
    status: str, is_reviewed: bool, tmp_path: Path
) -> None:
    script = _script("rollback", "rollback", "Check that the commit is reviewed")
    result = _run_with_gh(tmp_path, script, f"echo {status}", BRANCH="main", COMMIT="abc")
    assert (result.returncode == 0) is is_reviewed
    steps = _load("rollback")["jobs"]["rollback"]["steps"]
    checkouts = [step["with"]["ref"] for step in steps if "checkout" in str(step.get("uses"))]
    assert checkouts == [
        "${{ github.event.repository.default_branch }}",
        "${{ inputs.commit || steps.deployed.outputs.commit }}",
    ]


@pytest.mark.parametrize("verdict", [0, 1, 2])
@pytest.mark.parametrize(
    ("inputs", "arguments"),
    [
        (
            {"COMMAND": "release", "SERVICE": "beacon", "VERSION": "1.2.0", "WEIGHT": "10"},
            "release --stack=prod --service=beacon --version=1.2.0 --weight=10",
        ),
        ({"COMMAND": "promote", "FORCE": "1"}, "promote --stack=prod --force=1"),
        ({"COMMAND": "pause", "SERVICE": "a b"}, "pause --stack=prod --service=a b"),
    ],
)
def test_a_release_job_ends_with_the_exit_code_of_the_release(
    inputs: dict[str, str], arguments: str, verdict: int, tmp_path: Path
) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nshift 2\necho "$@"\nexit {verdict}\n')
    python.chmod(0o755)
    names = ("SERVICE", "VERSION", "WEIGHT", "FORCE")
    result = subprocess.run(
        ["bash", "-e", "-c", _script("release", "release", "Run the command")],
        cwd=tmp_path,
        env={**dict.fromkeys(names, ""), **inputs, "STACK": "prod", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (verdict, f"{arguments}\n"), result.stderr


def test_a_delivery_ends_with_the_exit_code_of_the_release() -> None:
    scripts = [step.get("run", "") for step in _load("deliver")["jobs"]["deploy"]["steps"]]
    assert any(script.startswith(".venv/bin/python -m commands up ") for script in scripts)
    assert not any("make up" in script for script in scripts)


def _run_after_commit(script: str, folder: Path, version: str) -> tuple[Path, str]:
    """Run a script in a repository whose stack file has 1.0.0 in its commit, and ``version`` now.

    Return the stack file and the output of the step.
    """
    project, output = folder / "project", folder / "output"
    project.mkdir()
    output.touch()
    file = project / "Pulumi.prod.yaml"
    file.write_text("stable: 1.0.0\n")
    for command in (["init", "--quiet"], ["add", "."], [*_AUTHOR, "commit", "--quiet", "-m", "a"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    file.write_text(f"stable: {version}\n")
    environment = {"STACK": "prod", "GITHUB_OUTPUT": str(output), "PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", "-e", "-c", script], cwd=project, env=environment, check=True)
    return file, output.read_text()


@pytest.mark.parametrize("is_changed", [True, False])
@pytest.mark.parametrize("name", ["release", "rollback"])
def test_a_pull_request_has_the_files_that_a_command_has_changed(
    name: str, is_changed: bool, tmp_path: Path
) -> None:
    script = _script(name, name, "Save the changed files")
    file, output = _run_after_commit(script, tmp_path, "1.1.0" if is_changed else "1.0.0")
    assert output.startswith("commit=") is is_changed
    job = _load(name)["jobs"]["propose"]
    assert f"needs.{name}.outputs.commit" in job["if"]
    if is_changed:
        subprocess.run(["git", "reset", "--quiet", "--hard"], cwd=file.parent, check=True)
        (applies,) = (step["run"] for step in job["steps"] if "run" in step)
        subprocess.run(applies.split(), cwd=file.parent, check=True)
        assert file.read_text() == "stable: 1.1.0\n"


@pytest.mark.parametrize("is_rolled_back", [True, False])
def test_a_pull_request_takes_back_the_stack_file_of_a_rolled_back_delivery(
    is_rolled_back: bool, tmp_path: Path
) -> None:
    script = _script("deliver", "deploy", "Find a stack file that a rollback has taken back")
    _, output = _run_after_commit(script, tmp_path, "0.9.0" if is_rolled_back else "1.0.0")
    assert output == ("rolled_back=true\n" if is_rolled_back else "")
    job = _load("deliver")["jobs"]["stack-file"]
    assert "needs.deploy.outputs.rolled_back" in job["if"]
    assert not any("run" in step for step in job["steps"]), "it runs no code with its token"


def test_a_release_waits_for_an_approval_and_a_pause_does_not() -> None:
    jobs = _load("release")["jobs"]
    assert jobs["release"]["needs"] == "approve"
    assert jobs["approve"]["if"] == "inputs.command == 'release' || inputs.command == 'promote'"
    assert "skipped" in jobs["release"]["if"]
    assert jobs["approve"]["environment"] != jobs["release"]["environment"]


ENVIRONMENTS = {
    "environments": [
        {"name": "preview-dev", "protection_rules": []},
        {"name": "preview-prod", "protection_rules": [{"type": "required_reviewers"}]},
        {"name": "approve-prod", "protection_rules": [{"type": "required_reviewers"}]},
        {"name": "preview-eu.prod", "protection_rules": [{"type": "wait_timer"}]},
    ]
}


@pytest.mark.parametrize(
    ("environments", "stacks"), [(ENVIRONMENTS, '["prod"]'), ({"environments": []}, "[]")]
)
def test_only_stacks_whose_preview_requires_a_review_are_previewed(
    environments: Any, stacks: str, tmp_path: Path
) -> None:
    script = _script("pull-request", "protected", "List the stacks whose preview requires a review")
    gh = f"""jq -r "${{@: -1}}" <<< '{json.dumps(environments)}'"""
    result = _run_with_gh(tmp_path, script, gh)
    assert (result.returncode, result.stdout) == (0, f"stacks={stacks}\n"), result.stderr
    assert _load("pull-request")["jobs"]["preview"]["if"].endswith("outputs.stacks != '[]'")


def test_every_stack_is_reviewed_and_checked_for_drift() -> None:
    """The stacks are listed from their files, so a new one is included."""
    for file, name in (("pull-request", "diff"), ("drift", "drift")):
        jobs = _load(file)["jobs"]
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


def test_trivy_has_the_version_of_the_tests() -> None:
    version = TRIVY.version("trivy")
    steps = _load("pull-request")["jobs"]["supply-chain"]["steps"]
    (setup,) = (step for step in steps if "setup-trivy" in str(step.get("uses")))
    assert setup["with"]["version"] == version


GH = """\
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
    result = _run_with_gh(
        tmp_path,
        _script("drift", "drift", step),
        GH,
        STACK="prod",
        LABEL="drift-prod",
        FILE="out.md",
        OPEN_ISSUE=open_issue,
    )
    assert result.returncode == 0, result.stderr
    listed, *changes = (tmp_path / "calls").read_text().splitlines()
    assert listed.startswith("issue list --label drift-prod")
    assert len(changes) == len(calls)
    assert all(change.startswith(call) for change, call in zip(changes, calls, strict=True))


DOCKER = """\
#!/bin/bash
echo "docker $* <<< $(cat)" >> "$CALLS"
[ "$(grep --count ^docker "$CALLS")" -gt "$FAILURES" ]
"""
AWS = """\
#!/bin/bash
echo "aws $*" >> "$CALLS"
echo token
"""


@pytest.mark.parametrize(
    ("registry", "failures", "calls"),
    [
        ("ghcr.io", 0, ["docker login ghcr.io --username robot --password-stdin <<< secret"]),
        (
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
            0,
            [
                "aws ecr get-login-password --region eu-central-1",
                "docker login 123456789012.dkr.ecr.eu-central-1.amazonaws.com --username AWS"
                " --password-stdin <<< token",
            ],
        ),
        ("h.example.com", 2, ["docker login h.example.com --username robot --password-stdin"] * 3),
        ("h.example.com", 3, ["docker login h.example.com --username robot --password-stdin"] * 3),
    ],
)
def test_a_login_to_a_registry_is_repeated_and_amazons_password_is_a_token_of_the_role(
    registry: str, failures: int, calls: list[str], tmp_path: Path
) -> None:
    for name, text in {"docker": DOCKER, "aws": AWS, "sleep": "#!/bin/sh\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    action = yaml.safe_load((ACTIONS_FOLDER / "setup" / "action.yaml").read_text())
    steps = [one for one in action["runs"]["steps"] if one.get("name") == "Log in to the registry"]
    variables = {"REGISTRY": registry, "REGISTRY_USER": "robot", "REGISTRY_PASSWORD": "secret"}
    result = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", steps[0]["run"]],
        env={
            **variables,
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "CALLS": str(tmp_path / "calls"),
            "FAILURES": str(failures),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode == 0) is (failures < 3), result.stderr
    called = (tmp_path / "calls").read_text().splitlines()
    assert len(called) == len(calls)
    assert all(one.startswith(start) for one, start in zip(called, calls, strict=True))


@pytest.mark.parametrize("lists", [{}, {"east": []}, {"east": [{"a": 1}], "west": [{"b": 2}]}])
def test_the_images_of_all_stacks_are_attested(
    lists: dict[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    for stack, images in lists.items():
        (tmp_path / "out" / stack).mkdir()
        (tmp_path / "out" / stack / "images.json").write_text(json.dumps(images))
    result = _run_with_gh(
        tmp_path, _script("gitops", "images", "List the images of all stacks"), ""
    )
    assert result.returncode == 0, result.stderr
    listed = json.loads(result.stdout.removeprefix("images="))
    assert sorted(map(str, listed)) == sorted(str(one) for all_ in lists.values() for one in all_)
