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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from commands.errors import BAD_INPUT, FAILED, CommandError
from commands.files import write_whole
from commands.ground import Ground
from commands.pulumi import Stack
from commands.release import VERSION_FILE
from commands.stack_file import PROJECT, forget_salt
from local.errors import LocalError
from settings import Settings, SettingsError, load

Task = Literal["preview", "drift"]

MOST_CHARACTERS = 60_000
"""Of a comment: GitHub takes 65,536."""
SECONDS = 1200
"""Longer than any preview takes; one that hangs ends here."""
ARGUMENTS: dict[Task, Sequence[str]] = {
    "preview": ("--diff", "--policy-pack", "policy"),
    "drift": ("--diff", "--refresh", "--expect-no-changes"),
}
_UNREACHABLE = "cluster is unreachable"
_CHANGED = "no changes were expected"
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

    @property
    def broken(self) -> list[str]:
        """The mandatory policies that are broken."""
        return re.findall(r"\[mandatory\]\s+([\w-]+)", self.text)

    @property
    def drifted(self) -> bool:
        """Whether changes were found where none were expected."""
        return self.task == "drift" and _CHANGED in self.text

    @property
    def unknown(self) -> list[str]:
        """What could not be known, in Pulumi's words."""
        return re.findall(rf"(?m)^\s*warning: (.*{_UNREACHABLE}.*)$", self.text)

    @property
    def is_whole(self) -> bool:
        """Whether it says all that there is to say."""
        if (self.task == "drift" or self.needs_cluster) and self.unknown:
            return False
        return self.succeeded or bool(self.broken) or self.drifted

    @property
    def changes(self) -> str:
        """What would be done; not what a refresh read, which is mostly the status of objects."""
        planned = re.search(r"(?m)^[ ~+-] ?pulumi:pulumi:Stack: \((?!refresh)", self.text)
        return self.text[planned.start() :] if self.task == "drift" and planned else self.text

    @property
    def counts(self) -> list[str]:
        """``2 to create``, and so on."""
        summary = self.text.partition("\nResources:")[2]
        return list(dict.fromkeys(re.findall(r"\b(\d+ to [a-z-]+)", summary)))

    @property
    def totals(self) -> str:
        """``2 to create, 23 unchanged``."""
        summary = self.text.partition("\nResources:")[2]
        unchanged = re.findall(r"\b(\d+ unchanged)", summary)[:1]
        return ", ".join([*self.counts, *unchanged]) or "no changes"


def comment(result: Result, whole: Path) -> str:
    """The result as Markdown; ``whole`` has what does not fit."""
    if result.drifted:
        title = f"Drift in `{result.stack}`: {', '.join(result.counts)}"
    elif result.task == "drift":
        title = f"No drift in `{result.stack}`"
    elif result.broken:
        title = f"Preview of `{result.stack}`: stopped by {', '.join(sorted(set(result.broken)))}"
    else:
        title = f"Preview of `{result.stack}`: {result.totals}"
    head = f"<!-- slipway-{result.task}: {result.stack} -->\n### {title}\n\n"
    for unknown in result.unknown:
        head += f"> [!NOTE]\n> {html.escape(unknown, quote=False)}\n\n"
    text, rest = html.escape(result.changes, quote=False), ""
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
    command = ["pulumi", "preview", "--stack", name, "--non-interactive", "--color=never"]
    command += [*ARGUMENTS[task], *(["--save-plan", str(plan)] if plan else [])]
    try:
        process = subprocess.run(
            command,
            cwd=PROJECT,
            env=stack.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"the preview of {name} did not end within {SECONDS} s") from None
    finally:
        forget_salt(name)
    text = _PROGRESS.sub("", process.stdout)
    result = Result(task, name, text, process.returncode == 0, needs_cluster=plan is not None)
    if plan and not (result.is_whole and result.succeeded):
        plan.unlink(missing_ok=True)
    if not result.is_whole:
        raise CommandError(f"the preview of {name} came to no result:\n{result.text.strip()}")
    return result


def _clear(plan: Path) -> None:
    try:
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.unlink(missing_ok=True)
    except OSError as error:
        raise CommandError(f"PLAN={plan} cannot be written: {error.strerror}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task; return its exit code."""
    parser = argparse.ArgumentParser(prog="commands.review", description=__doc__)
    parser.add_argument("task", choices=list(ARGUMENTS))
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--out", type=Path, help="a file, replaced in one step")
    parser.add_argument("--plan", type=Path, help="a file that a preview's plan is saved to")
    given = parser.parse_args(arguments)
    whole = Path("out") / given.task / f"{given.stack}.txt"
    try:
        result = run(given.task, given.stack, load(given.stack, VERSION_FILE), given.plan)
        write_whole(PROJECT / whole, result.text)
        if given.out:
            write_whole(given.out, comment(result, whole))
    except (CommandError, LocalError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    if not given.out:
        print(result.text)
    return FAILED if result.broken or result.drifted else 0


if __name__ == "__main__":
    sys.exit(main())
