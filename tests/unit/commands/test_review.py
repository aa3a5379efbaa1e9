"""What a preview comes to as a comment."""

from pathlib import Path

import pytest

from commands.review import MOST_CHARACTERS, Result, Task, comment

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
Resources:
    ~ 1 to update
    1 changes. 24 unchanged
error: no changes were expected for preview but changes were proposed
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


def test_drift_is_a_result_and_a_cluster_out_of_reach_is_none() -> None:
    found = result(DRIFT, task="drift", succeeded=False)
    assert found.drifted
    assert found.is_whole
    text = comment(found, WHOLE)
    assert "### Drift in `prod`: 1 to update\n" in text
    assert "maxReplicas: 7 =&gt; 10" in text
    assert "resourceVersion" not in text
    assert not result(UNREACHABLE, task="drift").is_whole
    assert "### No drift in `prod`" in comment(result(PREVIEW, task="drift"), WHOLE)


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
