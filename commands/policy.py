"""``python -m commands.policy``: what the rules of ``policy/`` say of rendered manifests.

Needs no engine, no cluster and no credentials. Exit code 1: a mandatory rule is broken; 2: nothing
could be judged.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from rich.console import Console

from commands.errors import BAD_INPUT, FAILED, CommandError, report_errors
from policy.judgement import FILE, Policy, PolicyError, Violation, load, never_used
from policy.objects import PROVIDER, Object
from settings import SettingsError, stack_file
from settings import load as load_settings
from settings.stack_file import path_of, stack_of

RENDER_SECONDS = 120
"""Longer than any stack takes; a program that hangs ends here."""


def read_manifests(folder: Path) -> list[Object]:
    """The objects in the YAML files of a folder."""
    try:
        return [
            Object(document, file.name)
            for file in sorted(folder.glob("*.y*ml"))
            for document in yaml.safe_load_all(file.read_text())
            if isinstance(document, dict)
        ]
    except yaml.YAMLError as error:
        raise CommandError(f"{folder} holds what is no YAML: {error}") from None


def rendered(stack: str) -> list[Object]:
    """The objects of a stack, and a stand-in for the provider that says where they go."""
    try:
        context = load_settings(stack).cluster.context
    except SettingsError as error:
        raise CommandError(str(error)) from None
    with TemporaryDirectory(prefix="slipway-policy-") as temporary:
        out = Path(temporary) / "out"
        try:
            result = subprocess.run(
                [sys.executable, "render.py", "--stack", stack, "--out", str(out)],
                cwd=stack_file.PROJECT_FOLDER,
                capture_output=True,
                text=True,
                check=False,
                timeout=RENDER_SECONDS,
            )
        except subprocess.TimeoutExpired:
            message = f"stack {stack} was not rendered within {RENDER_SECONDS} s"
            raise CommandError(message) from None
        if result.returncode != 0:
            lines = result.stderr.strip().splitlines() or ["it ended without a word"]
            whole = "\n".join(lines) if result.returncode == BAD_INPUT else lines[-1]
            message = whole.removeprefix("error: ")
            raise CommandError(f"stack {stack} cannot be rendered: {message}")
        objects = read_manifests(out)
    provider = {"kind": PROVIDER, "metadata": {"name": "cluster"}, "spec": {"context": context}}
    return [Object(provider, path_of(stack).name), *objects]


def stacks() -> list[str]:
    """The name of every stack that has a file."""
    found = sorted(stack_file.PROJECT_FOLDER.glob("Pulumi.*.yaml"))
    if not found:
        raise CommandError("there is no stack file: there is nothing to judge")
    return [stack_of(file) for file in found]


def show(policy: Policy, count: int, violations: Sequence[Violation], out: Console) -> None:
    """One paragraph for each stack."""
    mandatory = [one for one in violations if one.level == "mandatory"]
    mark = "[red]✗[/red]" if mandatory else "[green]✓[/green]"
    verdict = f"{len(mandatory)} broken" if mandatory else "all kept"
    advised = len(violations) - len(mandatory)
    out.print(
        f"{mark} {policy.stack.name} ({policy.stack.kind}): {len(policy.rules)} rules on"
        f" {count} objects, {verdict}"
        + (f", {advised} advised" if advised else "")
        + (f", {len(policy.used)} exempt" if policy.used else ""),
        highlight=False,
    )
    for one in violations:
        out.print(f"  {one.level} {one.rule}: {one}", highlight=False, markup=False, soft_wrap=True)


def run(arguments: argparse.Namespace, out: Console) -> int:
    """Judge, show, and return the exit code. Raises :class:`CommandError`."""
    names = [arguments.stack] if arguments.stack else stacks()
    try:
        policies = [load(stack_of(path_of(name))) for name in names]
    except PolicyError as error:
        raise CommandError(str(error)) from None
    if arguments.manifests:
        collected = [read_manifests(arguments.manifests)]
        if not collected[0]:
            raise CommandError(f"{arguments.manifests} holds no manifests")
    else:
        with ThreadPoolExecutor(max_workers=2) as pool:
            collected = list(pool.map(rendered, names))
    failed = False
    for policy, objects in zip(policies, collected, strict=True):
        violations = policy.judge(objects)
        show(policy, len(objects), violations, out)
        failed |= any(one.level == "mandatory" for one in violations)
    if not arguments.stack and not arguments.manifests:
        for exemption in never_used(policies):
            failed = True
            out.print(
                f"✗ no stack needs the exemption of {exemption.object} from {exemption.rule}:"
                f" correct it, or remove it from {FILE.name}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
    return FAILED if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="commands.policy", description=__doc__)
    parser.add_argument("--stack", help="its name; left out: every stack that has a file")
    parser.add_argument(
        "--manifests", type=Path, help="a folder of manifests to judge in place of a rendering"
    )
    return parser


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    given = _parser().parse_args(arguments)
    if given.manifests and not given.stack:
        raise CommandError("say with STACK=… whose rules hold for the manifests")
    return run(given, Console())


if __name__ == "__main__":
    sys.exit(main())
