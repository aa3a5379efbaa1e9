"""Reports of a preview and of a drift check, from the output and the events of a fake Pulumi."""

import json
from pathlib import Path
from typing import Any

import pytest

from commands import ci_report
from commands.ci_report import MAX_CHARACTERS, Result, Task, failure, report
from commands.errors import CommandError
from settings.stack_file import PROJECT_FOLDER
from tests.unit.stacks import settings

OUTPUT = Path("out/preview/prod.txt")
UNREACHABLE = "configured Kubernetes cluster is unreachable: no context"


def summary(**changes: int) -> dict[str, Any]:
    return {"summaryEvent": {"resourceChanges": changes}}


def diagnostic(severity: str, message: str) -> dict[str, Any]:
    return {"diagnosticEvent": {"severity": severity, "message": f"{message}\n"}}


def violation(policy: str, level: str = "mandatory") -> dict[str, Any]:
    return {"policyEvent": {"policyName": policy, "enforcementLevel": level, "message": "no"}}


def result(
    *events: dict[str, Any], text: str = "+ ConfigMap", task: Task = "preview", **changes: Any
) -> Result:
    return Result(task, "prod", changes.pop("succeeded", True), text, events, **changes)


def title(result: Result) -> str:
    return report(result, OUTPUT).splitlines()[0]


def test_the_title_has_the_number_of_changes() -> None:
    changes = summary(same=23, create=2, update=1)
    assert title(result(changes)) == "### Preview of `prod`: 2 to create, 1 to update, 23 unchanged"


def test_the_title_of_a_drift_report_has_the_changes_in_the_cluster() -> None:
    drifted = result(summary(same=23, update=1, delete=2), task="drift")
    assert drifted.has_drift
    assert title(drifted) == "### Drift in `prod`: 1 changed, 2 deleted"
    unchanged = result(summary(same=26), task="drift")
    assert not unchanged.has_drift
    assert title(unchanged) == "### No drift in `prod`"


def test_the_output_of_pulumi_is_escaped() -> None:
    text = report(result(text="</pre></details>@everyone <&>"), OUTPUT)
    assert text.count("</pre>") == 1
    assert "&lt;&amp;&gt;" in text


def test_a_violated_policy_is_in_the_title() -> None:
    violated = result(violation("replicas"), violation("labels", "advisory"), succeeded=False)
    assert violated.is_complete
    assert title(violated) == "### Preview of `prod`: violates replicas"


def test_a_preview_without_the_cluster_has_a_warning_and_is_no_plan() -> None:
    warned = result(summary(create=2), diagnostic("warning", UNREACHABLE))
    text = report(warned, OUTPUT)
    assert f"> [!NOTE]\n> {UNREACHABLE}" in text
    assert text.index("[!NOTE]") < text.index("<details>")
    assert warned.is_complete
    assert not result(diagnostic("warning", UNREACHABLE), needs_cluster=True).is_complete


@pytest.mark.parametrize("line", ["+ x\n", "&<>\n"])
def test_a_long_output_is_shortened(line: str) -> None:
    text = report(result(text=line * 50_000), OUTPUT)
    assert len(text) < MAX_CHARACTERS + 500
    assert text.endswith("the complete output is in `out/preview/prod.txt`.\n")
    assert "</details>" in text


TRACEBACK = f"""Program failed with an unhandled exception:
Traceback (most recent call last):
  File "{PROJECT_FOLDER}/__main__.py", line 8, in <module>
    raise RuntimeError("boom")
RuntimeError: boom
"""


@pytest.mark.parametrize(
    ("events", "text", "message"),
    [
        ([diagnostic("error", TRACEBACK)], "", "RuntimeError: boom (__main__.py:8)"),
        ([], "error: getting secrets manager: incorrect passphrase", "PULUMI_CONFIG_PASSPHRASE"),
        (
            [diagnostic("error", "not found"), diagnostic("error", "preview failed")],
            "",
            "not found",
        ),
        ([], "+ x\nkilled\n", "killed"),
        ([], "", "Pulumi printed nothing"),
    ],
)
def test_a_failure_is_one_message(events: list[dict[str, Any]], text: str, message: str) -> None:
    failed = result(*events, text=text, succeeded=False)
    assert not failed.is_complete
    assert message in failure(failed)
    assert "\n" not in failure(failed)


PULUMI = """\
#!/bin/sh
echo "$@" >> {folder}/calls
for argument; do
  case "$previous" in
    --event-log) cp {folder}/events "$argument" ;;
    --save-plan) echo plan > "$argument" ;;
  esac
  previous="$argument"
done
case "$*" in
  "stack export"*) echo "{{}}" ;;
  stack*) ;;
  *) echo "$1 printed"; exit $(cat {folder}/code) ;;
esac
"""


class FakePulumi:
    """A `pulumi` that copies prepared events to its event log."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.returns(0)
        program = folder / "pulumi"
        program.write_text(PULUMI.format(folder=folder))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        monkeypatch.setattr(ci_report, "RETRY_SECONDS", 0)
        monkeypatch.setattr(ci_report, "PROJECT_FOLDER", folder)
        monkeypatch.setattr("commands.pulumi.PROJECT_FOLDER", folder)
        monkeypatch.setattr(ci_report, "remove_encryption_salt", lambda _: None)
        monkeypatch.setattr(ci_report.Prerequisites, "prepare_cli", lambda _: None)
        monkeypatch.setattr(ci_report.Prerequisites, "variables", lambda _: {})
        monkeypatch.setattr(ci_report, "load", lambda *_, **__: settings())

    def returns(self, code: int, *events: dict[str, Any]) -> None:
        (self.folder / "code").write_text(str(code))
        (self.folder / "events").write_text("\n".join(json.dumps(event) for event in events))


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePulumi:
    return FakePulumi(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("task", "code", "event", "exit_code"),
    [
        ("preview", 0, summary(create=2), 0),
        ("preview", 255, violation("replicas"), 1),
        ("drift", 0, summary(same=2), 0),
        ("drift", 0, summary(update=1), 1),
        ("preview", 255, diagnostic("error", "not found"), 2),
        ("drift", 255, diagnostic("error", "not found"), 2),
    ],
)
def test_the_exit_code_tells_a_finding_from_a_failure(
    pulumi: FakePulumi, task: str, code: int, event: dict[str, Any], exit_code: int
) -> None:
    pulumi.returns(code, event)
    out = pulumi.folder / "report.md"
    out.write_text("old")
    assert ci_report.main([task, f"--out={out}"]) == exit_code
    assert (out.read_text() == "old") is (exit_code == 2)


@pytest.mark.parametrize("task", ["preview", "drift"])
def test_a_check_that_could_not_run_is_tried_once_more(
    pulumi: FakePulumi, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    pulumi.returns(255, diagnostic("error", "connection refused"))
    # The server is back after the wait.
    monkeypatch.setattr(ci_report.time, "sleep", lambda _: pulumi.returns(0, summary(same=2)))
    assert ci_report.main([task]) == 0


@pytest.mark.parametrize(
    ("code", "event", "is_saved"),
    [
        (0, summary(create=2), True),
        (0, diagnostic("warning", UNREACHABLE), False),
        (255, violation("replicas"), False),
    ],
)
def test_only_a_complete_preview_leaves_a_plan(
    pulumi: FakePulumi, code: int, event: dict[str, Any], is_saved: bool
) -> None:
    plan = pulumi.folder / "out" / "plan.json"
    pulumi.returns(code, event)
    ci_report.main(["preview", f"--plan={plan}"])
    assert plan.exists() is is_saved


def test_a_preview_that_does_not_end_is_an_error(
    pulumi: FakePulumi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ci_report, "TIMEOUT_SECONDS", 0.2)
    program = pulumi.folder / "pulumi"
    program.write_text('#!/bin/sh\n[ "$1" = stack ] || exec sleep 60\necho "{}"\n')
    with pytest.raises(CommandError, match=r"did not end within 0\.2 s"):
        ci_report.run("preview", "dev", settings())


def test_a_context_of_another_cluster_is_refused(
    pulumi: FakePulumi, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace = {
        "type": "kubernetes:core/v1:Namespace",
        "id": "shop",
        "outputs": {"metadata": {"uid": "old"}},
    }
    monkeypatch.setattr(ci_report.Stack, "deployment", lambda _: {"resources": [namespace]})
    monkeypatch.setattr("commands.kubectl.namespace_uids", lambda *_, **__: {"shop": "other"})
    stack = settings(cluster={"context": "east"})
    with pytest.raises(CommandError, match="context east of the kubeconfig is another cluster"):
        ci_report.run("preview", "dev", stack)
    calls = (pulumi.folder / "calls").read_text()
    assert "preview" not in calls
