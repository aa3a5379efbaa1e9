"""Deploys stacks, releases versions and queries the observability servers.

Each command below is the make target of the same name.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from commands import (
    alerts,
    dashboards,
    logs,
    metrics,
    release_commands,
    release_history,
    traces,
)
from commands.console import new_console
from commands.deployer import Deployer
from commands.dev.deployment import end_interrupted_sessions
from commands.errors import CommandError, report_errors
from commands.followed_release import FollowedRelease, Outcome
from commands.make_variables import parse_flag, parse_integer
from commands.notifications import Notifier
from commands.observability_client import ObservabilityClient, check_mode
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack, preload_program
from commands.release import Release, parse_version
from commands.service_option import selected_service, selected_services
from commands.stack_lock import hold_lock
from commands.unsafe_options import check_arguments
from settings import check_owner, load
from settings.project import project_name
from settings.stack_file import path_of, stack_of

Followed = list[FollowedRelease] | None
"""Progressive releases that a command has started, which are followed when it has ended."""


def up(deployer: Deployer, arguments: argparse.Namespace) -> Followed:
    """Deploy the stack."""
    return deployer.update(*arguments.pulumi, plan=arguments.plan)


def preview(deployer: Deployer, arguments: argparse.Namespace) -> None:
    """Show the changes of the next update."""
    deployer.preview(*arguments.pulumi)


def down(deployer: Deployer, arguments: argparse.Namespace) -> None:
    """Delete everything that the stack deployed."""
    deployer.down(*arguments.pulumi)


def status(deployer: Deployer, arguments: argparse.Namespace) -> None:
    """Show tracks, versions, traffic, pods and URLs of the services."""
    deployer.status(arguments.service)


def history(deployer: Deployer, arguments: argparse.Namespace) -> None:
    """Show the releases of the services."""
    services = selected_services(deployer.settings, arguments.service)
    release_history.show(deployer.records, [one.name for one in services])


def release(deployer: Deployer, arguments: argparse.Namespace) -> Followed:
    """Start the release of a version, with the strategy of the service."""
    service = selected_service(deployer.settings, arguments.service)
    return release_commands.start(deployer, service, arguments.version, arguments.weight)


def promote(deployer: Deployer, arguments: argparse.Namespace) -> Callable[[], None] | None:
    """Send every request to the new version.

    Return the observation of a color after the switch, which needs no lock of the stack.
    """
    service = selected_service(deployer.settings, arguments.service)
    is_forced = parse_flag("FORCE", arguments.force)
    return release_commands.promote(deployer, service, is_forced=is_forced)


def pause(deployer: Deployer, arguments: argparse.Namespace) -> None:
    """Keep the weight of a progressive release as it is."""
    release_commands.pause(deployer, selected_service(deployer.settings, arguments.service))


def resume(deployer: Deployer, arguments: argparse.Namespace) -> Followed:
    """Continue a paused release."""
    service = selected_service(deployer.settings, arguments.service)
    return release_commands.resume(deployer, service)


def rollback(deployer: Deployer, arguments: argparse.Namespace) -> None:
    """End the release in progress, or return to an earlier stable version."""
    service = selected_service(deployer.settings, arguments.service)
    release_commands.rollback(deployer, service, arguments.version or None)


def set_value(deployer: Deployer, arguments: argparse.Namespace) -> Followed:
    """Set a key of a service in all tracks at once."""
    print(_release(deployer, arguments).set_value(arguments.key, arguments.value))
    return deployer.update()


def _release(deployer: Deployer, arguments: argparse.Namespace) -> Release:
    return deployer.release(selected_service(deployer.settings, arguments.service))


def dev(deployer: Deployer, arguments: argparse.Namespace) -> None:
    """Run the working tree of a service in the cluster, again after each edit."""
    from commands.dev.loop import DevLoop  # noqa: PLC0415  # loads a compiled library

    service = selected_service(deployer.settings, arguments.service)
    if not deployer.prerequisites.has_own_node and not parse_flag("FORCE", arguments.force):
        raise CommandError(
            f"{arguments.stack} is not on this project's own node: `make dev` replaces all pods of "
            f"{service.name} by one with unreviewed code. FORCE=1 does so"
        )
    environment = {**deployer.environment, **deployer.registry_login}
    loop = DevLoop(deployer.settings, arguments.stack, service, environment)
    deployed = deployer.stack.outputs().get("services", {}).get(service.name)
    if deployed is None:
        raise CommandError(f"{service.name} is not deployed: run `make up`")
    loop.run(deployed["stable"]["image"])


Command = Callable[[Deployer, argparse.Namespace], Followed | Callable[[], None]]
_COMMANDS: tuple[Command, ...] = (
    *(up, preview, down, status, history, dev),
    *(release, promote, pause, resume, rollback),
)
DEPLOY: Mapping[str, Command] = {
    **{command.__name__: command for command in _COMMANDS},
    "canary": release,
    "set": set_value,
}
REPEATED_COMMANDS = ("promote", "rollback")
"""Commands that are not idempotent: a second rollback restores an even earlier version."""
RELEASE_COMMANDS = ("release", "canary", "promote", "pause", "resume", "rollback")
SERVICE_COMMANDS = ("status", "history", "dev", "set", *RELEASE_COMMANDS)
UPDATE_COMMANDS = ("up", "dev", "set", *RELEASE_COMMANDS)
STACK_COMMANDS = ("down", *UPDATE_COMMANDS)
OWNER_COMMANDS = (*STACK_COMMANDS, "preview")
"""Commands that are refused if another program than Pulumi owns the objects of the stack."""
COMMANDS_WITHOUT_PROGRAM = ("down", "status", "history")
"""Commands that do not run the Pulumi program, and need no secret."""
PASS_THROUGH_COMMANDS = ("up", "preview", "down")
"""Commands that pass unknown arguments on to Pulumi."""

QUERY = {
    "logs": logs,
    "metrics": metrics,
    "alerts": alerts,
    "traces": traces,
    "dashboards": dashboards,
}
"""Commands that query the observability servers; one module each."""


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="commands", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name in DEPLOY:
        command = subparsers.add_parser(name)
        command.add_argument("--stack", default="dev")
        if name == "up":
            command.add_argument("--plan", type=Path)
        if name in SERVICE_COMMANDS:
            command.add_argument("--service", default="")
        if name in ("release", "canary", "rollback"):
            command.add_argument("--version", default="")
        if name in ("release", "canary"):
            # The weight of a canary by hand is never a default.
            default = "" if name == "canary" else None
            command.add_argument("--weight", type=_weight, default=default)
        if name == "set":
            command.add_argument("--key", default="")
            command.add_argument("--value", default="")
        if name in ("up", "set", "release", "canary", "promote", "dev"):
            command.add_argument("--force", default="")
    for name, module in QUERY.items():
        command = subparsers.add_parser(name)
        command.add_argument("--stack", default="dev")
        module.add_arguments(command)
    arguments, unknown = parser.parse_known_args()
    if unknown and arguments.command not in PASS_THROUGH_COMMANDS:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    arguments.pulumi = unknown
    return arguments


def _weight(text: str) -> int:
    return parse_integer("WEIGHT", text, 0, 100)


def _check_arguments(arguments: argparse.Namespace) -> None:
    parse_flag("FORCE", getattr(arguments, "force", ""))
    check_arguments(arguments.pulumi)
    if arguments.stack.endswith((".yaml", ".yml")):
        name = stack_of(Path(arguments.stack))
        raise CommandError(f"STACK={arguments.stack} is a file: use the stack's name, {name}")
    if version := getattr(arguments, "version", ""):
        parse_version(version)
    plan = getattr(arguments, "plan", None)
    if plan and not plan.is_file():
        raise CommandError(f"PLAN={plan} does not exist: `make ci-preview PLAN={plan}` writes it")


def _deployer(arguments: argparse.Namespace) -> Deployer:
    """Read the stack file and reject a command that its settings do not allow."""
    # A `VERSION` file may differ from the stack file until a release command pins the version.
    without_sources = (*RELEASE_COMMANDS, *COMMANDS_WITHOUT_PROGRAM)
    settings = load(arguments.stack, check_sources=arguments.command not in without_sources)
    if arguments.command in OWNER_COMMANDS:
        check_owner(settings, path_of(arguments.stack).name)
    prerequisites = Prerequisites(settings)
    variables = {**os.environ, **prerequisites.variables()}
    stack = Stack(arguments.stack, variables)
    is_forced = parse_flag("FORCE", getattr(arguments, "force", ""))
    deployer = Deployer(stack, settings, prerequisites, variables, force=is_forced)
    match arguments.command:
        case "canary":
            _release(deployer, arguments).check_canary(arguments.version)
        case "release":
            _release(deployer, arguments).check_start(arguments.version)
            service = selected_service(settings, arguments.service)
            release_commands.check_weight(service, arguments.weight)
        case "promote":
            _release(deployer, arguments).check_promotion()
        case "pause" | "resume":
            service = selected_service(settings, arguments.service)
            release_commands.check_pause(service, arguments.stack)
        case "rollback":
            selected_service(settings, arguments.service)
        case "status" | "history":
            selected_services(settings, arguments.service)
        case "down":
            deployer.check_deletion(arguments.pulumi)
    return deployer


def _prepare(deployer: Deployer, arguments: argparse.Namespace) -> None:
    changes_release = arguments.command in RELEASE_COMMANDS
    deployer.prerequisites.prepare(
        builds=arguments.command in ("up", "set") or changes_release,
        # The reloader of `dev` is an image of its own.
        another_version=arguments.command == "dev"
        or (changes_release and bool(getattr(arguments, "version", ""))),
    )


def _lock(arguments: argparse.Namespace) -> AbstractContextManager[None]:
    return hold_lock(f"{project_name()}-{arguments.stack}")


def _deploy(arguments: argparse.Namespace) -> int:
    _check_arguments(arguments)
    deployer = _deployer(arguments)
    if arguments.command not in COMMANDS_WITHOUT_PROGRAM:
        deployer.prerequisites.check_sops(arguments.stack)
    with Notifier(deployer.settings, deployer.stack, deployer.environment) as notifier:
        return _run(replace(deployer, notifier=notifier), arguments)


def _run(deployer: Deployer, arguments: argparse.Namespace) -> int:
    if arguments.command not in COMMANDS_WITHOUT_PROGRAM:
        preload_program()
    was_pending = _is_pending(deployer, arguments)
    # The bad version gets requests while anything is started that a rollback can do without.
    switches = arguments.command == "rollback" and not arguments.version
    if not switches:
        _prepare(deployer, arguments)
    with _lock(arguments) if arguments.command in STACK_COMMANDS else nullcontext():
        # Another command may have changed the stack file while this one waited for the lock.
        current = replace(_deployer(arguments), notifier=deployer.notifier)
        if _was_done_meanwhile(deployer, current, was_pending, arguments):
            print(f"another process completed `{arguments.command}` while this one waited for it")
            current.status(arguments.service)
            return 0
        if switches:
            service = selected_service(current.settings, arguments.service)
            if current.switch_requests(service, "rollback"):
                current = replace(_deployer(arguments), notifier=deployer.notifier)
        if switches or current.settings != deployer.settings:
            _prepare(current, arguments)
        if arguments.command in STACK_COMMANDS:
            end_interrupted_sessions(current.settings, arguments.stack, current.environment)
        if arguments.command in UPDATE_COMMANDS:
            current.select(arguments.pulumi)
            current.check_ownership()
        if arguments.command in (*RELEASE_COMMANDS, "dev"):
            current = current.logged_in()
        after = DEPLOY[arguments.command](current, arguments)
        if isinstance(after, list):
            current.progressive_releases().record_start(after)
    # Without the lock, so that other commands can pause, promote or roll back.
    if callable(after):
        after()
    return _follow(current, after, arguments) if isinstance(after, list) else 0


def _follow(
    deployer: Deployer, followed: list[FollowedRelease], arguments: argparse.Namespace
) -> int:
    """Follow releases until Flagger has decided them; return the exit code."""
    if not followed:
        return Outcome.PROMOTED.value
    releases = deployer.progressive_releases()
    stack = f"STACK={arguments.stack}"
    try:
        releases.follow(followed)
    except KeyboardInterrupt:
        names = " and ".join(f"{one.service} {one.version}" for one in followed)
        print(
            f"\nthe release of {names} goes on in the cluster: `make status {stack}` shows it, "
            f"`make up {stack}` follows it, `make rollback {stack}` ends it"
        )
        return Outcome.UNDECIDED.value
    rolled_back = [one for one in followed if releases.end(one)]
    if rolled_back:
        with _lock(arguments):
            for one in rolled_back:
                release_commands.restore(_deployer(arguments), one)
    elif any(one.outcome is Outcome.PROMOTED for one in followed):
        deployer.status()
    outcomes = {one.outcome for one in followed}
    worst = next(
        (one for one in (Outcome.ROLLED_BACK, Outcome.UNDECIDED) if one in outcomes),
        Outcome.PROMOTED,
    )
    return worst.value


def _is_pending(deployer: Deployer, arguments: argparse.Namespace) -> bool:
    """True if an interrupted command, or another process, has not deployed this change yet."""
    return arguments.command in REPEATED_COMMANDS and _release(deployer, arguments).is_pending(
        arguments.command
    )


def _was_done_meanwhile(
    before: Deployer, after: Deployer, was_pending: bool, arguments: argparse.Namespace
) -> bool:
    """True if another process completed the same command while this one waited for the lock.

    That is usually the command of a ``make`` that was killed, which does not end its command.
    """
    if arguments.command not in REPEATED_COMMANDS or getattr(arguments, "version", ""):
        return False
    if was_pending:
        return not _is_pending(after, arguments)
    old, new = (
        selected_service(one.settings, arguments.service).release for one in (before, after)
    )
    is_swapped = old.beside is not None and new.stable.version == old.beside.version
    if new.canary is not None or old == new:
        return False
    if new.idle is not None:  # a rollback swaps the colors only after a promotion
        return is_swapped and old.is_promoted == (arguments.command == "rollback")
    return is_swapped if arguments.command == "promote" else not is_swapped


def _query(arguments: argparse.Namespace) -> None:
    settings = load(arguments.stack)
    selected_services(settings, getattr(arguments, "service", ""))
    check_mode(settings, arguments.stack)
    variables = {**os.environ, **Prerequisites(settings).variables()}
    with ObservabilityClient(settings, variables) as client:
        QUERY[arguments.command].show(client, arguments, new_console())


@report_errors
def main() -> int:
    """Run one command; return its exit code."""
    arguments = _parse()
    if arguments.command in QUERY:
        _query(arguments)
        return 0
    return _deploy(arguments)


if __name__ == "__main__":
    sys.exit(main())
