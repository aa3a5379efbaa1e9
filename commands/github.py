"""``python -m commands.github``: what CI says, told in one place that is kept up to date.

``FILE`` begins with the marker by which its comment is found again: ``<!-- slipway-… -->``. What is
there already is replaced whole, or not at all. Needs GitHub's CLI, `gh`, and its login.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from commands.command import command
from commands.errors import FAILED, CommandError
from commands.stack_file import PROJECT, path_of
from commands.switch import is_on

MOST_CHARACTERS = 65_536
"""GitHub's limit."""
TRIES = 3
_PAUSE = 5.0  # seconds before the second try, doubled each time
_MARKER = re.compile(r"<!-- slipway-[a-z]+: [\w.-]+ -->")
_LABEL = "drift"


def body_of(file: Path) -> tuple[str, str]:
    """The marker of a file, and the whole of it. Raises :class:`CommandError`."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}; what is there stays") from None
    marker, _, rest = text.partition("\n")
    if not _MARKER.fullmatch(marker) or not rest.strip():
        raise CommandError(f"{file} is no whole comment: it begins with <!-- slipway-… -->")
    if len(text) > MOST_CHARACTERS:
        raise CommandError(f"{file} has {len(text)} characters: use at most {MOST_CHARACTERS}")
    return marker, text


def comment(file: Path, pull_request: int) -> str:
    """Post or update a comment; return what was done."""
    marker, text = body_of(file)
    comments = f"repos/{{owner}}/{{repo}}/issues/{pull_request}/comments"
    for known in _listed(f"{comments}?per_page=100"):
        if known["body"].startswith(marker):
            _gh(f"repos/{{owner}}/{{repo}}/issues/comments/{known['id']}", "PATCH", {"body": text})
            return f"updated the comment {known['id']}"
    _gh(comments, "POST", {"body": text})
    return "posted a comment"


def issue(file: Path, *, resolved: bool) -> str:
    """Open or update one issue, or close it when ``resolved``; return what was done."""
    marker, text = body_of(file)
    issues = "repos/{owner}/{repo}/issues"
    title = re.sub(r"[#`]", "", text.splitlines()[1]).strip()
    for known in _listed(f"{issues}?state=open&labels={_LABEL}&per_page=100"):
        if (known["body"] or "").startswith(marker):
            state = {"state": "closed"} if resolved else {}
            _gh(f"{issues}/{known['number']}", "PATCH", {"title": title, "body": text, **state})
            return f"{'closed' if resolved else 'updated'} issue {known['number']}"
    if resolved:
        return "no issue is open"
    _gh(issues, "POST", {"title": title, "body": text, "labels": [_LABEL]})
    return "opened an issue"


def propose(stack: str) -> str:
    """Open a pull request with what a command wrote to a stack file; return what was done."""
    file = path_of(stack).name
    if not _run(["git", "status", "--porcelain", "--", file]).strip():
        return f"{file} is as the branch has it"
    title = f"Roll back {stack}"
    branch = f"rollback-{stack}-{os.environ.get('GITHUB_RUN_ID') or int(time.time())}"
    author = ("-c", "user.name=github-actions", "-c", "user.email=github-actions@github.com")
    _run(["git", "switch", "--create", branch])
    _run(["git", *author, "commit", "--message", title, "--", file])
    _run(["git", "push", "origin", branch])
    body = "It runs already. Until this is merged, the next update of the stack would undo it."
    return _run(["gh", "pr", "create", "--head", branch, "--title", title, "--body", body]).strip()


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CommandError(f"there is no {command[0]} on this machine") from None
    if done.returncode != 0:
        raise CommandError(f"{' '.join(command[:2])}: {done.stderr.strip()}", FAILED)
    return done.stdout


def _listed(path: str) -> list[dict[str, Any]]:
    lines = _gh(path, "GET", None, "--paginate", "--jq", ".[] | {id, number, body} | tojson")
    return [json.loads(line) for line in lines.splitlines() if line]


def _gh(path: str, method: str, fields: Mapping[str, Any] | None, *options: str) -> str:
    """Ask GitHub. A question is asked again where the network failed; what changes is not."""
    command = ["gh", "api", path, "--method", method, *options]
    command += ["--input", "-"] if fields else []
    problem = ""
    for turn in range(TRIES if method != "POST" else 1):
        if turn:
            time.sleep(_PAUSE * 2 ** (turn - 1))
        try:
            done = subprocess.run(
                command,
                input=json.dumps(fields) if fields else None,
                env=os.environ,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except FileNotFoundError:
            raise CommandError("there is no gh on this machine: it talks to GitHub") from None
        except subprocess.TimeoutExpired:
            problem = "no answer within 60 s"
            continue
        if done.returncode == 0:
            return done.stdout
        problem = done.stderr.strip()
    raise CommandError(f"GitHub did not take it: {problem}", FAILED)


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task; return its exit code."""
    parser = argparse.ArgumentParser(prog="commands.github", description=__doc__)
    tasks = parser.add_subparsers(dest="task", required=True)
    commenting = tasks.add_parser("comment")
    commenting.add_argument("--file", type=Path, required=True)
    commenting.add_argument("--pull-request", required=True)
    reporting = tasks.add_parser("issue")
    reporting.add_argument("--file", type=Path, required=True)
    reporting.add_argument("--resolved", default="", help="1: close it")
    proposing = tasks.add_parser("propose")
    proposing.add_argument("--stack", required=True)
    given = parser.parse_args(arguments)
    if given.task == "propose":
        print(propose(given.stack))
    elif given.task == "issue":
        print(issue(given.file, resolved=is_on("RESOLVED", given.resolved)))
    elif given.pull_request.isdigit():
        print(comment(given.file, int(given.pull_request)))
    else:
        raise CommandError(f"PR={given.pull_request} is not a pull request's number")
    return 0


if __name__ == "__main__":
    sys.exit(main())
