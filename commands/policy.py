"""``python -m commands.policy``: evaluate the policy pack on rendered manifests.

Needs no engine, no cluster and no credentials. Exit code 1: a mandatory rule is violated; 2: the
manifests cannot be evaluated.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.console import Console

import render
from commands.control_characters import escape_control_characters
from commands.errors import FAILED, CommandError, report_errors
from policy.evaluation import FILE, Policy, PolicyError, Violation, load, unused_exemptions
from policy.objects import PROVIDER, Object
from settings import load as load_settings
from settings import stack_file
from settings.stack_file import path_of, stack_of


def read_manifests(folder: Path) -> list[Object]:
    """Objects in the YAML files of a folder."""
    try:
        objects = [
            Object(document, file.name)
            for file in sorted(folder.glob("*.y*ml"))
            for document in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)
            if isinstance(document, dict)
        ]
    except yaml.YAMLError as error:
        raise CommandError(f"{folder} contains invalid YAML: {error}") from None
    if not objects:
        raise CommandError(f"{folder} contains no manifests")
    return objects


def render_stack(stack: str) -> list[Object]:
    """Objects of a stack and its Kubernetes provider."""
    provider = {
        "kind": PROVIDER,
        "metadata": {"name": "cluster"},
        "spec": {"context": load_settings(stack).cluster.context},
    }
    try:
        manifests = render.manifests_of(stack)
    except Exception as error:  # the program may raise anything
        raise CommandError(
            f"stack {stack} cannot be rendered: {type(error).__name__}: {error}"
        ) from None
    return [
        Object(provider, path_of(stack).name),
        *(
            Object(yaml.load(text, Loader=yaml.CSafeLoader), name)
            for name, text in manifests.items()
        ),
    ]


def find_stacks() -> list[str]:
    """Names of the stacks that have a stack file."""
    files = stack_file.stack_files(stack_file.PROJECT_FOLDER)
    if not files:
        raise CommandError("there is no stack file Pulumi.<stack>.yaml")
    return [stack_of(file) for file in files]


def print_result(policy: Policy, count: int, violations: Sequence[Violation], out: Console) -> None:
    """Print a summary and the violations of a stack."""
    mandatory = sum(violation.level == "mandatory" for violation in violations)
    advisory = len(violations) - mandatory
    exempt = len(policy.used_exemptions)
    summary = [
        f"{'✗' if mandatory else '✓'} {policy.stack.name} ({policy.stack.environment}):"
        f" {len(policy.rules)} rules on {count} objects",
        f"{mandatory or 'no'} {'violation' if mandatory == 1 else 'violations'}",
        *([f"{advisory} advisory"] if advisory else []),
        *([f"{exempt} exempt"] if exempt else []),
    ]
    _print(out, ", ".join(summary), style="red" if mandatory else "green")
    for violation in violations:
        _print(out, f"  {violation.level} {violation.rule}: {violation}")


def _print(out: Console, line: str, style: str | None = None) -> None:
    out.print(
        escape_control_characters(line), style=style, highlight=False, markup=False, soft_wrap=True
    )


def run(stack: str | None, manifests: Path | None, out: Console) -> int:
    """Evaluate one stack or all of them, print the results, and return the exit code."""
    stacks = [stack] if stack else find_stacks()
    try:
        policies = [load(stack_of(path_of(name))) for name in stacks]
    except PolicyError as error:
        raise CommandError(str(error)) from None
    failed = False
    for name, policy in zip(stacks, policies, strict=True):
        objects = read_manifests(manifests) if manifests else render_stack(name)
        violations = policy.evaluate(objects)
        print_result(policy, len(objects), violations, out)
        failed |= any(violation.level == "mandatory" for violation in violations)
    for exemption in [] if stack else unused_exemptions(policies):
        failed = True
        _print(
            out,
            f"✗ no stack needs the exemption of {exemption.object} from {exemption.rule}:"
            f" correct it, or remove it from {FILE.name}",
        )
    return FAILED if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="commands.policy", description=__doc__)
    parser.add_argument("--stack", help="name of the stack; default: every stack with a file")
    parser.add_argument(
        "--manifests", type=Path, help="folder of manifests to evaluate instead of rendering"
    )
    return parser


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    if options.manifests and not options.stack:
        raise CommandError("--manifests needs STACK=<stack>, whose rules apply to the manifests")
    return run(options.stack, options.manifests, Console())


if __name__ == "__main__":
    sys.exit(main())
