"""``python -m commands.review preview|drift``: what Pulumi says of a stack, as a comment.

Nobody is asked and nothing is changed. The file is written whole, and only when Pulumi came to a
result: a comment that is made from it is never half of one. Exit code 1: a policy is broken, or
there is drift; 2: there is no result. A preview can save what it says as the plan of an update.
"""

import argparse
import html
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from commands.command import command
from commands.diff.rendering import cause
from commands.errors import FAILED, CommandError
from commands.ground import Ground
from commands.pulumi import Stack
from commands.release import VERSION_FILE
from commands.stack_file import PROJECT, forget_salt
from local import files
from settings import Settings, load

Task = Literal["preview", "drift"]

MOST_CHARACTERS = 60_000
"""Of a comment: GitHub takes 65,536."""
SECONDS = 1200
"""Longer than any preview takes; one that hangs ends here."""
ARGUMENTS: dict[Task, Sequence[str]] = {
    "preview": ("--diff", "--policy-pack", "policy"),
    "drift": ("--diff", "--refresh"),
}
_UNREACHABLE = "cluster is unreachable"
_RESOURCE = re.compile(r"^( *)(?:[~+-]+ )?[^\s:]+:\S+: \((\S+)\)")
_END = re.compile(r"^(?: *--outputs:--|Resources:|Policies:)$")
_PROGRESS = re.compile(
    r"(?m)^(?:@ previewing .*|Loading policy packs.*|Update plan written .*|Run `pulumi up .*)\n"
)


@dataclass(frozen=True)
class Result:
    """What a preview printed, and how it ended."""

    task: Task
    stack: str
    text: str
    succeeded: bool
    needs_cluster: bool = False
    """Whether what a preview can say without the cluster is not enough."""
    undelivered: str = ""
    """Of a check for drift: what a preview says that does not look at the cluster anew."""

    @property
    def broken(self) -> list[str]:
        """The mandatory policies that are broken."""
        return re.findall(r"\[mandatory\]\s+([\w-]+)", self.text)

    @property
    def drift(self) -> list[str]:
        """What would be done to each object that is not as the last update left it.

        What is declared here and not delivered yet would be done without a look at the cluster too.
        """
        if self.task != "drift":
            return []
        known = set(_steps(self.undelivered))
        return [step for step in _steps(self.text) if step not in known]

    @property
    def drifted(self) -> bool:
        """Whether somebody else changed what the stack deployed."""
        return bool(self.drift)

    @property
    def unknown(self) -> list[str]:
        """What could not be known, in Pulumi's words."""
        return re.findall(rf"(?m)^\s*warning: (.*{_UNREACHABLE}.*)$", self.text)

    @property
    def is_whole(self) -> bool:
        """Whether it says all that there is to say."""
        if (self.task == "drift" or self.needs_cluster) and self.unknown:
            return False
        return self.succeeded or bool(self.broken)

    @property
    def totals(self) -> str:
        """``2 to create, 23 unchanged``."""
        summary = self.text.partition("\nResources:")[2]
        counted = re.findall(r"\b(\d+ (?:to [a-z-]+|unchanged))", summary)
        return ", ".join(dict.fromkeys(counted)) or "no changes"


def _steps(text: str) -> list[str]:
    """What is to be done to each object, out of what a preview printed."""
    steps: list[list[str]] = []
    is_open, margin = False, 0
    for line in text.splitlines():
        if found := _RESOURCE.match(line):
            is_open = found[2] not in ("same", "refresh")
            margin = len(found[1])
            if is_open:
                steps.append([line[margin:]])
        elif _END.match(line):
            is_open = False
        elif is_open:
            steps[-1].append(line[margin:])
    return ["\n".join(step).rstrip() for step in steps]


def problem(text: str) -> str:
    """Why Pulumi came to no result, without all that it printed around it."""
    if "incorrect passphrase" in text:
        return (
            "its secrets are encrypted with another passphrase: set PULUMI_CONFIG_PASSPHRASE, or "
            "PULUMI_CONFIG_PASSPHRASE_FILE, to the stack's own"
        )
    if trace := re.search(r"(?m)^Traceback .*\n(?: .*\n)*\S.*$", text):
        return cause(trace[0], PROJECT)
    errors = dict.fromkeys(re.findall(r"(?m)^ *error: (.+)$", text))
    errors.pop("preview failed", None)
    return "\n".join(errors) or (text.strip().splitlines() or ["it ended without a word"])[-1]


def comment(result: Result, whole: Path) -> str:
    """The result as Markdown; ``whole`` has what does not fit."""
    if result.drifted:
        done = Counter(_RESOURCE.findall(step)[0][1] for step in result.drift)
        counts = ", ".join(f"{count} to {step}" for step, count in done.items())
        title = f"Drift in `{result.stack}`: {counts}"
    elif result.task == "drift":
        title = f"No drift in `{result.stack}`"
    elif result.broken:
        title = f"Preview of `{result.stack}`: stopped by {', '.join(sorted(set(result.broken)))}"
    else:
        title = f"Preview of `{result.stack}`: {result.totals}"
    head = f"<!-- slipway-{result.task}: {result.stack} -->\n### {title}\n\n"
    for unknown in result.unknown:
        head += f"> [!NOTE]\n> {html.escape(unknown, quote=False)}\n\n"
    shown = "\n".join(result.drift) if result.drifted else result.text
    text, rest = html.escape(shown, quote=False), ""
    room = MOST_CHARACTERS - len(head)
    if len(text) > room:
        text = text[:room].rpartition("\n")[0]
        rest = f"\nCut to fit into a comment; the whole is in `{whole}`.\n"
    opened = " open" if result.broken or result.drifted else ""
    folded = f"<details{opened}><summary>What Pulumi says</summary>\n\n<pre>\n{text}\n</pre>"
    return f"{head}{folded}\n</details>\n{rest}"


def run(task: Task, name: str, settings: Settings, plan: Path | None = None) -> Result:
    """Ask Pulumi. Raises :class:`CommandError` where it comes to no result.

    ``plan`` gets what an update may do then, or is gone: no update is held to an older one.
    """
    if plan:
        _clear(plan)
    ground = Ground(settings)
    # A preview says what it can know without a cluster, so none is started for it.
    ground.prepare_cli()
    stack = Stack(name, {**os.environ, **ground.variables()})
    stack.select(mend=False)
    arguments = [*ARGUMENTS[task], *(["--save-plan", str(plan)] if plan else [])]
    succeeded, text = _previewed(stack, *arguments)
    result = Result(task, name, text, succeeded, needs_cluster=plan is not None)
    if result.drifted:
        succeeded, undelivered = _previewed(stack, "--diff")
        result = replace(result, succeeded=succeeded, undelivered=undelivered)
    whole = whole_of(task, name)
    files.write(PROJECT / whole, result.text)
    if plan and not (result.is_whole and result.succeeded):
        plan.unlink(missing_ok=True)
    if not result.is_whole:
        what = "preview" if task == "preview" else "check for drift"
        raise CommandError(
            f"the {what} of {name} came to no result: {problem(result.text + result.undelivered)}\n"
            f"all that Pulumi said is in {whole}"
        )
    return result


def whole_of(task: Task, stack: str) -> Path:
    """Where all that Pulumi said is kept."""
    return Path("out") / task / f"{stack}.txt"


def _previewed(stack: Stack, *arguments: str) -> tuple[bool, str]:
    command = ["pulumi", "preview", "--stack", stack.name, "--non-interactive", "--color=never"]
    try:
        process = subprocess.run(
            [*command, *arguments],
            cwd=PROJECT,
            env=stack.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"the preview of {stack.name} did not end within {SECONDS} s") from None
    finally:
        forget_salt(stack.name)
    return process.returncode == 0, _PROGRESS.sub("", process.stdout)


def _clear(plan: Path) -> None:
    try:
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.unlink(missing_ok=True)
    except OSError as error:
        raise CommandError(f"PLAN={plan} cannot be written: {error.strerror}") from None


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task; return its exit code."""
    parser = argparse.ArgumentParser(prog="commands.review", description=__doc__)
    parser.add_argument("task", choices=list(ARGUMENTS))
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--out", type=Path, help="a file, replaced in one step")
    parser.add_argument("--plan", type=Path, help="a file that a preview's plan is saved to")
    given = parser.parse_args(arguments)
    try:
        result = run(given.task, given.stack, load(given.stack, VERSION_FILE), given.plan)
    except CommandError as error:
        # The exit code FAILED is for what was found.
        raise CommandError(str(error)) from error
    if given.out:
        files.write(given.out, comment(result, whole_of(given.task, given.stack)))
    else:
        print(result.text)
    return FAILED if result.broken or result.drifted else 0


if __name__ == "__main__":
    sys.exit(main())
