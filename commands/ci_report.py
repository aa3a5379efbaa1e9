"""``make ci-preview`` and ``make ci-drift``: a preview or a drift check as Markdown.

Both change nothing and need no confirmation. Exit code 1: a mandatory policy is violated, or there
is drift. Exit code 2: the check could not run, also not in a second try; the report is not written
then. A preview can save its plan for the update.
"""

import argparse
import html
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from commands.control_characters import escape_control_characters
from commands.deployer import Deployer
from commands.diff.rendering import summarize_traceback
from commands.engine_events import ENABLES_EVENT_LOG, read_events, resource_changes
from commands.errors import FAILED, CommandError, report_errors
from commands.out_option import out_file
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from commands.stack_file import remove_encryption_salt
from local import files
from settings import Settings, check_owner, load
from settings.stack_file import PROJECT_FOLDER, path_of

Task = Literal["preview", "drift"]

MAX_CHARACTERS = 60_000
"""Of a report. GitHub's limit for a comment is 65,536."""
TIMEOUT_SECONDS = 1200
"""Longer than any preview takes."""
RETRY_SECONDS = 10.0
"""Wait before the second try: the state or the cluster may be out of reach for a moment."""
COMMANDS: dict[Task, Sequence[str]] = {
    "preview": ("preview", "--policy-pack", "policy"),
    # Without the program: changes that are declared and not yet deployed are no drift.
    "drift": ("refresh", "--preview-only"),
}
_UNREACHABLE = "cluster is unreachable"


@dataclass(frozen=True)
class Result:
    """Output of Pulumi, and its engine events."""

    task: Task
    stack: str
    succeeded: bool
    text: str
    events: Sequence[dict[str, Any]] = ()
    needs_cluster: bool = False
    """True if a preview without a connection to the cluster is not enough."""

    @property
    def violations(self) -> list[str]:
        """Names of the violated mandatory policies."""
        violations = self._events("policyEvent")
        return sorted(
            {one["policyName"] for one in violations if one["enforcementLevel"] == "mandatory"}
        )

    @property
    def changes(self) -> dict[str, int]:
        """Number of resources by operation."""
        return resource_changes(self.events)

    @property
    def has_drift(self) -> bool:
        """True if the cluster differs from the state."""
        return self.task == "drift" and any(one != "same" for one in self.changes)

    @property
    def warnings(self) -> list[str]:
        """Warnings that the cluster could not be reached."""
        warnings = dict.fromkeys(self._diagnostics("warning"))
        return [warning for warning in warnings if _UNREACHABLE in warning]

    @property
    def errors(self) -> list[str]:
        """Error messages of Pulumi and of the program."""
        return list(dict.fromkeys(self._diagnostics("error")))

    @property
    def is_complete(self) -> bool:
        """True if the check ran to its end."""
        if self.needs_cluster and self.warnings:
            return False
        return self.succeeded or bool(self.violations)

    @property
    def summary(self) -> str:
        """``2 to create, 23 unchanged``, or for drift ``1 changed, 1 deleted``."""
        if self.task == "drift":
            words = {"update": "changed", "delete": "deleted"}
        else:
            words = {one: f"to {one}" for one in self.changes} | {"same": "unchanged"}
        order = sorted(self.changes, key=lambda operation: operation == "same")
        counts = [f"{self.changes[one]} {words[one]}" for one in order if one in words]
        return ", ".join(counts) or "no changes"

    def _events(self, kind: str) -> list[dict[str, Any]]:
        return [event[kind] for event in self.events if kind in event]

    def _diagnostics(self, severity: str) -> list[str]:
        diagnostics = self._events("diagnosticEvent")
        return [one["message"].strip() for one in diagnostics if one["severity"] == severity]


def failure(result: Result) -> str:
    """The reason why the check could not run."""
    if "incorrect passphrase" in result.text:
        return (
            "its secrets are encrypted with another passphrase: set PULUMI_CONFIG_PASSPHRASE, or "
            "PULUMI_CONFIG_PASSPHRASE_FILE, to the stack's own"
        )
    messages = [*result.warnings, *result.errors]
    for message in messages:
        if "Traceback" in message:
            return summarize_traceback(message, PROJECT_FOLDER)
    reasons = [message for message in messages if message != "preview failed"]
    return (
        "\n".join(reasons) or (result.text.strip().splitlines() or ["Pulumi printed nothing"])[-1]
    )


def report(result: Result, full_output: Path) -> str:
    """The result as Markdown; ``full_output`` is the file with the complete output."""
    if result.has_drift:
        title = f"Drift in `{result.stack}`: {result.summary}"
    elif result.task == "drift":
        title = f"No drift in `{result.stack}`"
    elif result.violations:
        title = f"Preview of `{result.stack}`: violates {', '.join(result.violations)}"
    else:
        title = f"Preview of `{result.stack}`: {result.summary}"
    head = f"### {title}\n\n"
    for warning in result.warnings:
        head += f"> [!NOTE]\n> {_escape(warning)}\n\n"
    text, note = _escape(result.text), ""
    room = MAX_CHARACTERS - len(head)
    if len(text) > room:
        text = text[:room].rpartition("\n")[0]
        note = f"\nShortened; the complete output is in `{full_output}`.\n"
    state = " open" if result.violations or result.has_drift else ""
    details = f"<details{state}><summary>Output of Pulumi</summary>\n\n<pre>\n{text}\n</pre>"
    return f"{head}{details}\n</details>\n{note}"


def _escape(text: str) -> str:
    """Escape the markup and control characters of values that the output quotes."""
    return html.escape(escape_control_characters(text, keep="\t\n"), quote=False)


def run(task: Task, name: str, settings: Settings, plan: Path | None = None) -> Result:
    """Run Pulumi. Raises :class:`CommandError` if the check could not run.

    ``plan`` is written if the preview succeeds, and deleted otherwise: an outdated plan must not
    constrain an update.
    """
    if plan:
        _delete(plan)
    prerequisites = Prerequisites(settings)
    # A preview without a cluster shows less, so no cluster is started for it.
    prerequisites.prepare_cli()
    variables = {**os.environ, **prerequisites.variables()}
    if task == "preview":
        prerequisites.check_sops(name)
    stack = Stack(name, variables)
    stack.select(repair=False)
    Deployer(stack, settings, prerequisites, variables).read()
    result = _run_pulumi(task, stack, plan)
    if not result.is_complete:
        print(
            f"{failure(result)}\ntrying again in {RETRY_SECONDS:.0f} s", file=sys.stderr, flush=True
        )
        time.sleep(RETRY_SECONDS)
        result = _run_pulumi(task, stack, plan)
    full_output = output_file(task, name)
    files.write(PROJECT_FOLDER / full_output, result.text)
    if plan and not (result.is_complete and result.succeeded):
        plan.unlink(missing_ok=True)
    if not result.is_complete:
        check = "preview" if task == "preview" else "drift check"
        raise CommandError(
            f"the {check} of {name} failed: {failure(result)}\n"
            f"the complete output of Pulumi is in {full_output}"
        )
    return result


def output_file(task: Task, stack: str) -> Path:
    """File with the complete output of Pulumi."""
    return Path("out") / task / f"{stack}.txt"


def _run_pulumi(task: Task, stack: Stack, plan: Path | None) -> Result:
    with TemporaryDirectory() as folder:
        log = Path(folder) / "events.json"
        try:
            process = subprocess.run(
                [
                    *("pulumi", *COMMANDS[task], "--stack", stack.name, "--non-interactive"),
                    *("--diff", "--color=never", "--suppress-progress", "--event-log", str(log)),
                    *(["--save-plan", str(plan)] if plan else []),
                ],
                cwd=PROJECT_FOLDER,
                env={**stack.environment, **ENABLES_EVENT_LOG},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CommandError(
                f"pulumi {task} of {stack.name} did not end within {TIMEOUT_SECONDS} s"
            ) from None
        finally:
            remove_encryption_salt(stack.name)
        events = read_events(log)
    return Result(
        task,
        stack.name,
        succeeded=process.returncode == 0,
        text=process.stdout,
        events=events,
        needs_cluster=plan is not None,
    )


def _delete(plan: Path) -> None:
    try:
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.unlink(missing_ok=True)
    except OSError as error:
        raise CommandError(f"PLAN={plan} cannot be written: {error.strerror}") from None


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one check; return its exit code."""
    parser = argparse.ArgumentParser(prog="commands.ci_report", description=__doc__)
    parser.add_argument("task", choices=list(COMMANDS))
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--out", type=out_file, help="file of the report, replaced atomically")
    parser.add_argument("--plan", type=Path, help="file of the plan that a preview saves")
    options = parser.parse_args(arguments)
    try:
        settings = load(options.stack, check_sources=True)
        check_owner(settings, path_of(options.stack).name)
        result = run(options.task, options.stack, settings, options.plan)
    except CommandError as error:
        # Exit code 1 is for violations and drift.
        raise CommandError(str(error)) from error
    if options.out:
        files.write(options.out, report(result, output_file(options.task, options.stack)))
    else:
        print(result.text)
    return FAILED if result.violations or result.has_drift else 0


if __name__ == "__main__":
    sys.exit(main())
