"""What a preview comes to as a comment."""

from dataclasses import replace
from pathlib import Path

import pytest

from commands.review import MOST_CHARACTERS, Result, Task, comment, problem
from commands.stack_file import PROJECT

WHOLE = Path("out/preview/prod.txt")
PREVIEW = """Previewing update (prod):
    + kubernetes:core/v1:ConfigMap: (create) <&>
Policies:
    ✅ slipway@v1.0.0 (local: policy)
Resources:
    + 2 to create
    ~ 1 to update
    3 changes. 23 unchanged
"""
BROKEN = "Policies:\n    ❌ slipway\n  - [mandatory]  replicas  (kubernetes:x: y)\n"
DRIFT = """Previewing update (prod):
~ pulumi:pulumi:Stack: (refresh)
    ~ kubernetes:apps/v1:Deployment: (refresh)
      ~ resourceVersion: "1" => "2"
  pulumi:pulumi:Stack: (same)
    ~ kubernetes:autoscaling/v2:HorizontalPodAutoscaler: (update)
      ~ maxReplicas: 7 => 10
    ~ kubernetes:core/v1:ConfigMap: (update)
      ~ data: {
Resources:
    ~ 2 to update
    2 changes. 24 unchanged
"""
UNDELIVERED = """Previewing update (prod):
  pulumi:pulumi:Stack: (same)
    ~ kubernetes:core/v1:ConfigMap: (update)
      ~ data: {
    --outputs:--
"""
UNREACHABLE = "    warning: configured Kubernetes cluster is unreachable: no context\n"


def result(text: str, *, task: Task = "preview", succeeded: bool = True) -> Result:
    return Result(task, "prod", text, succeeded)


def test_a_comment_begins_with_its_marker_and_the_totals() -> None:
    lines = comment(result(PREVIEW), WHOLE).splitlines()
    assert lines[0] == "<!-- slipway-preview: prod -->"
    assert lines[1] == "### Preview of `prod`: 2 to create, 1 to update, 23 unchanged"


def test_what_pulumi_printed_cannot_change_the_comment_around_it() -> None:
    text = comment(result(PREVIEW + "</pre></details>@everyone"), WHOLE)
    assert text.count("</pre>") == 1
    assert "&lt;&amp;&gt;" in text


def test_a_broken_policy_is_a_result_and_is_in_the_title() -> None:
    stopped = result(BROKEN, succeeded=False)
    assert stopped.is_whole
    assert "### Preview of `prod`: stopped by replicas" in comment(stopped, WHOLE)


def test_a_program_that_fails_comes_to_no_result() -> None:
    assert not result(
        "error: Program failed with an unhandled exception\n", succeeded=False
    ).is_whole


def test_what_could_not_be_known_is_said_first() -> None:
    text = comment(result(PREVIEW + UNREACHABLE), WHOLE)
    assert "> [!NOTE]\n> configured Kubernetes cluster is unreachable" in text
    assert text.index("[!NOTE]") < text.index("<details>")


def test_drift_is_what_is_not_merely_undelivered() -> None:
    found = replace(result(DRIFT, task="drift"), undelivered=UNDELIVERED)
    assert found.drifted
    assert found.is_whole
    text = comment(found, WHOLE)
    assert "### Drift in `prod`: 1 to update\n" in text
    assert "maxReplicas: 7 =&gt; 10" in text
    assert "ConfigMap" not in text
    assert "resourceVersion" not in text


def test_what_is_declared_and_not_delivered_is_no_drift() -> None:
    found = replace(result(UNDELIVERED, task="drift"), undelivered=UNDELIVERED)
    assert not found.drifted
    assert "### No drift in `prod`" in comment(found, WHOLE)


def test_a_cluster_out_of_reach_is_no_result_of_a_check_for_drift() -> None:
    assert not result(UNREACHABLE, task="drift").is_whole


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "    + x:y:Z: (create)\nerror: Program failed with an unhandled exception:\n"
            "Traceback (most recent call last):\n"
            f'  File "{PROJECT}/__main__.py", line 8, in <module>\n    raise RuntimeError("boom")\n'
            "RuntimeError: boom\n\n    --outputs:--\n",
            "RuntimeError: boom (__main__.py:8)",
        ),
        ("error: getting stack configuration: incorrect passphrase\n", "PULUMI_CONFIG_PASSPHRASE"),
        ("error: no such thing\n  error: no such thing\nerror: preview failed\n", "no such thing"),
        ("killed\n", "killed"),
        ("", "it ended without a word"),
    ],
)
def test_why_there_is_no_result_is_one_message(text: str, says: str) -> None:
    told = problem(text)
    assert says in told
    assert "\n" not in told


def test_a_plan_without_the_cluster_is_none() -> None:
    assert result(PREVIEW + UNREACHABLE).is_whole
    planned = Result("preview", "prod", PREVIEW + UNREACHABLE, succeeded=True, needs_cluster=True)
    assert not planned.is_whole


@pytest.mark.parametrize("line", ["+ x\n", "&<>\n"])
def test_a_long_preview_is_cut_and_names_the_whole(line: str) -> None:
    text = comment(result(line * 50_000), WHOLE)
    assert len(text) < MOST_CHARACTERS + 500
    assert text.endswith("the whole is in `out/preview/prod.txt`.\n")
    assert "</details>" in text
