"""``python -m commands``: what the Makefile's targets run."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from commands import alerts, cluster, dashboards, gate, logs, metrics, status, traces
from commands.command import command
from commands.errors import CommandError
from commands.ground import Ground
from commands.monitoring import Monitoring, check_mode
from commands.note import Note
from commands.pulumi import Stack
from commands.release import VERSION_FILE, Release, parse_version
from commands.switch import is_on
from commands.turn import turn
from components.labels import COMMON_LABELS
from local.layout import Layout
from settings import Settings, load
from settings.stack_file import stack_of

MOVE_TRAFFIC = ("canary", "promote", "rollback")
TAKE_MORE = ("up", "preview", "down")
WIDTH = 120
"""Columns where there is no terminal to ask."""
LOOK = {
    "logs": logs,
    "metrics": metrics,
    "alerts": alerts,
    "traces": traces,
    "dashboards": dashboards,
}
"""What asks the servers that watch a stack, and changes nothing."""

ALL_BUT_OBSERVABILITY = ("--exclude", "**slipway:observability:**", "--exclude-dependents")
"""Arguments of an update that leaves the observability servers as they are."""


@dataclass(frozen=True)
class Run:
    """One command on one stack: its settings are known to be good."""

    stack: Stack
    settings: Settings
    ground: Ground
    environment: Mapping[str, str]

    @property
    def note(self) -> Note:
        return Note(Layout().root / "moves" / f"{self.stack.name}.json")

    @property
    def release(self) -> Release:
        return Release(self.stack, self.settings, self.environment, self.note)

    def check(self, arguments: argparse.Namespace) -> None:
        """Refuse what the settings and the machine rule out; nothing is started to know that."""
        match arguments.command:
            case "canary":
                self.release.check_canary(arguments.version, arguments.weight)
            case "promote":
                self.release.check_promotion()
            case "down":
                self._check_consent(arguments.arguments)
            case _:
                pass

    def prepare(self, arguments: argparse.Namespace) -> None:
        """Build and start what this machine lacks for the command."""
        moves_traffic = arguments.command in MOVE_TRAFFIC
        self.ground.prepare(
            builds=arguments.command == "up" or moves_traffic,
            another_version=moves_traffic and bool(getattr(arguments, "version", "")),
        )

    def update(self, *arguments: str, plan: Path | None = None) -> None:
        """``pulumi up``, then what runs.

        A stack on the project's own node is updated at once. Any other one shows its preview first
        and, on a terminal, asks. With a ``plan`` nothing happens that is not in it.
        """
        self.stack.select()
        self._refuse_foreign()
        is_whole = not arguments
        arguments = (
            *self._consent(),
            *(["--skip-preview"] if self.ground.has_own_node else []),
            *self._refresh(arguments),
            *arguments,
        )
        if plan is not None:
            arguments = (*arguments, "--plan", str(plan))
        if self.ground.lacks_images():
            # The service is not kept waiting for minutes of compiling what watches it. A plan is
            # for one update: one that leaves something out would violate it.
            if plan is None:
                self.stack.up(*ALL_BUT_OBSERVABILITY, *arguments)
            self.ground.build_images()
        self.stack.up(*arguments)
        if is_whole:
            self.note.clear()
        self.status()

    def ask_gate(self) -> None:
        if line := gate.verdict(self.settings, self.environment):
            print(line)

    def preview(self, *arguments: str) -> None:
        self.stack.select()
        self.stack.preview(*self._refresh(arguments), *arguments)

    def down(self, *arguments: str) -> None:
        """``pulumi destroy``, which asks where :meth:`update` asks, and is refused where it cannot.

        What is not on the project's own node may serve somebody.
        """
        self._check_consent(arguments)
        self.stack.select()
        self.stack.destroy(*self._consent(), *arguments)

    def _check_consent(self, arguments: Sequence[str]) -> None:
        if self._consent() and not self.ground.has_own_node and not {"--yes", "-y"} & {*arguments}:
            raise CommandError(
                f"{self.stack.name} is not on this project's own node, and nobody can be asked "
                f"here: to delete it, `make down STACK={self.stack.name} ARGS=--yes`"
            )

    def _refuse_foreign(self) -> None:
        """Pulumi would take over a namespace that is there, close it, and delete it at the end."""
        known, context = self.stack.namespaces(), self.settings.cluster.context
        new = {key: name for key, name in self.settings.namespaces.items() if name not in known}
        try:
            theirs = new and cluster.foreign(new, environment=self.environment, context=context)
        except CommandError:
            return  # Pulumi says better what is wrong
        for key in theirs:
            labels = " ".join(f"{label}={value}" for label, value in COMMON_LABELS.items())
            raise CommandError(
                f"slipway:{key} is {new[key]}: the cluster has a namespace of that name, and "
                f"this program has not made it. Use another name, or give it away, to be deleted "
                f"with the stack: `kubectl label namespace {new[key]} {labels}`"
            )

    def _consent(self) -> Sequence[str]:
        """What lets Pulumi go on without asking; nothing where there is somebody to ask."""
        # A CI may give its commands a terminal at which nobody sits.
        is_ci = self.environment.get("CI", "").lower() not in ("", "0", "false", "no", "off")
        asks = not self.ground.has_own_node and sys.stdin.isatty() and not is_ci
        return () if asks else ("--yes",)

    def _refresh(self, arguments: Sequence[str]) -> Sequence[str]:
        """Let Pulumi look at what there is, where the state is about a node that is gone.

        The project's own node is made anew at will, and what ran on it is not there any more. Of
        another cluster nobody knows whether it is another one, so that is only told.
        """
        is_named = self.settings.cluster.context is not None
        if is_named or not (known := self.stack.namespaces()):
            return ()
        try:
            found = cluster.namespaces(known, environment=self.environment)
        except CommandError:
            return ()  # Pulumi says better what is wrong
        if found == known:
            return ()
        gone = ", ".join(sorted(name for name in known if found.get(name) != known[name]))
        if self.ground.has_own_node:
            print(f"not what the last update left, so the state is refreshed: namespace {gone}")
            return ("--refresh",)
        if not any(argument.startswith("--refresh") for argument in arguments):
            print(
                f"not what the last update left: namespace {gone}. If the cluster was made anew, "
                "use `make up ARGS=--refresh`; if it is another one, another context"
            )
        return ()

    def status(self) -> None:
        status.show(self.stack.outputs(), self.environment, self.settings.cluster.context)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what can be refused before anything is looked at."""
    is_on("FORCE", getattr(arguments, "force", ""))
    if arguments.stack.endswith((".yaml", ".yml")):
        name = stack_of(Path(arguments.stack))
        raise CommandError(f"STACK={arguments.stack} is a file: use the stack's name, {name}")
    if version := getattr(arguments, "version", ""):
        parse_version(version)
    plan = getattr(arguments, "plan", None)
    if plan and not plan.is_file():
        raise CommandError(f"PLAN={plan} is not there: `make ci-preview PLAN={plan}` writes it")


def _weight(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise CommandError(
            f"WEIGHT={text} is not a whole number: use a percentage from 0 to 100"
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="commands", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "preview", "down", "status", "canary", "promote", "rollback"):
        command = commands.add_parser(name)
        command.add_argument("--stack", default="dev")
        if name == "up":
            command.add_argument("--plan", type=Path)
        if name in ("canary", "rollback"):
            command.add_argument("--version", default="")
        if name == "canary":
            command.add_argument("--weight", type=_weight, default="")
        if name == "promote":
            command.add_argument("--force", default="")
    for name, module in LOOK.items():
        command = commands.add_parser(name)
        command.add_argument("--stack", default="dev")
        module.add_arguments(command)
    return parser


def _parsed() -> argparse.Namespace:
    """What the command line says; ``arguments`` are for the CLI, where the command runs it."""
    parser = _parser()
    parsed, others = parser.parse_known_args()
    if others and parsed.command not in TAKE_MORE:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    parsed.arguments = others
    return parsed


def _look(arguments: argparse.Namespace) -> None:
    settings = load(arguments.stack)
    check_mode(settings, arguments.stack)
    variables = {**os.environ, **Ground(settings).variables()}
    with Monitoring(settings, variables) as monitoring:
        console = Console(width=None if sys.stdout.isatty() else WIDTH)
        LOOK[arguments.command].show(monitoring, arguments, console)


def _execute(arguments: argparse.Namespace) -> None:
    if arguments.command in LOOK:
        _look(arguments)
        return
    _check(arguments)
    run = _run(arguments)
    run.prepare(arguments)
    changes = arguments.command in (*MOVE_TRAFFIC, "up", "down")
    with turn(arguments.stack, Layout().root / "turns") if changes else nullcontext():
        # Minutes may have passed, in which another command has changed the stack file.
        now = _run(arguments)
        if now.settings != run.settings:
            now.prepare(arguments)
        _perform(now, arguments)


def _run(arguments: argparse.Namespace) -> Run:
    """The command on its stack, as the stack file is now."""
    # A release command mends what app/VERSION contradicts: it pins the version before.
    built = None if arguments.command in MOVE_TRAFFIC else VERSION_FILE
    settings = load(arguments.stack, built)
    ground = Ground(settings)
    variables = {**os.environ, **ground.variables()}
    run = Run(Stack(arguments.stack, variables), settings, ground, variables)
    run.check(arguments)
    return run


def _perform(run: Run, arguments: argparse.Namespace) -> None:
    if arguments.command in MOVE_TRAFFIC:
        run.stack.select()
    match arguments.command:
        case "up":
            run.update(*arguments.arguments, plan=arguments.plan)
        case "preview":
            run.preview(*arguments.arguments)
        case "down":
            run.down(*arguments.arguments)
        case "status":
            run.status()
        case "canary":
            print(run.release.canary(arguments.version, arguments.weight))
            run.update()
        case "promote":
            if run.settings.release.canary and not is_on("FORCE", arguments.force):
                run.ask_gate()
            print(run.release.promote())
            run.update()
        case "rollback":
            print(run.release.rollback(arguments.version or None))
            run.update()


@command
def main() -> int:
    """Run one command; return its exit code."""
    _execute(_parsed())
    return 0


if __name__ == "__main__":
    sys.exit(main())
