"""``make drill``: bad versions of a service under load, in a stack of their own.

The copy of the stack is deleted at the end, also after Ctrl-C.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

from rich.console import Console

from commands.drill import drill_report, faults, outcome
from commands.drill.detector import Detector
from commands.drill.drill import UPDATE_SECONDS, Drill, release_of
from commands.drill.outcome import Outcome
from commands.drill.temporary_stack import TemporaryStack
from commands.errors import FAILED, CommandError, report_errors
from commands.load import Load
from commands.make_variables import parse_flag, parse_integer
from commands.notifications import Notifier
from commands.observability_client import ObservabilityClient, monitored
from commands.out_option import out_file
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from commands.service_option import selected_service
from commands.stack_lock import hold_lock
from local import files
from settings import Fault, Service, Settings, Strategy, check_owner, load
from settings.project import project_name
from settings.stack_file import PROJECT_FOLDER, path_of

DEFAULT_RATE = 50
"""Requests per second."""
DEFAULT_WEIGHT = 10
"""Percentage of the requests for a canary."""
FORMATS = ("terminal", "json")
_WIDTH = 120
"""Columns when stdout is not a terminal."""
_LOAD_SECONDS = 4 * 3600
"""End of the load if this process is killed."""


def _parse(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="commands.drill", description=__doc__)
    parser.add_argument("--stack", default="dev")
    for name in ("service", "strategy", "faults", "force"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--rate", default=str(DEFAULT_RATE), help="requests per second")
    parser.add_argument("--weight", default=str(DEFAULT_WEIGHT), help="percentage for a canary")
    parser.add_argument("--format", default="terminal", help=" | ".join(FORMATS))
    parser.add_argument("--out", type=out_file, help="file for the outcome")
    return parser.parse_args(given)


def _strategy(name: str, service: Service) -> Strategy:
    for strategy in get_args(Strategy):
        if strategy == (name or service.release.strategy):
            return strategy
    allowed = ", ".join(get_args(Strategy))
    raise CommandError(f"STRATEGY={name} is not a strategy: use {allowed}")


def run(arguments: argparse.Namespace) -> int:
    """Run the drill, print the outcome or write it to a file, and return the exit code."""
    if arguments.format not in FORMATS:
        raise CommandError(f"FORMAT={arguments.format} is not a format: use {', '.join(FORMATS)}")
    rate = parse_integer("RATE", arguments.rate, 1, 10_000)
    weight = parse_integer("WEIGHT", arguments.weight, 1, 99)
    is_forced = parse_flag("FORCE", arguments.force)
    settings = load(arguments.stack, check_sources=True)
    check_owner(settings, path_of(arguments.stack).name)
    service = selected_service(settings, arguments.service)
    if service.routing is None:
        raise CommandError(
            f"a drill needs requests, and {service.name} has no routing: set "
            f"slipway:services.{service.name}.routing"
        )
    if service.is_knative:
        key = f"slipway:services.{service.name}.workload.kind"
        raise CommandError(f'{key} is "knative": a drill observes Deployments')
    prerequisites = Prerequisites(settings)
    if not prerequisites.has_own_node and not is_forced:
        raise CommandError(
            f"{arguments.stack} is not on this project's own node: the drill deploys a copy of it "
            f"beside it, with {rate} requests per second. FORCE=1 does so"
        )
    strategy = _strategy(arguments.strategy, service)
    chosen = faults.selected(arguments.faults, service)
    variables = {**os.environ, **prerequisites.variables()}
    log = PROJECT_FOLDER / "out" / f"drill-{arguments.stack}-{strategy}.log"
    files.write(log, "")
    stack = TemporaryStack(arguments.stack, service, strategy, variables, log)
    drill = _Run(stack, settings, chosen, rate, weight)
    drill.check()
    prerequisites.prepare(builds=True)
    with hold_lock(f"{project_name()}-{stack.name}-run"):
        try:
            drill.run()
        finally:
            if drill.outcomes:
                drill.print(arguments.format, arguments.out)
                drill.notify()
    return 0 if drill.has_passed else FAILED


@dataclass
class _Run:
    """One drill: the copy of the stack is deployed, and deleted in any case."""

    stack: TemporaryStack
    settings: Settings
    """Of the stack that is copied."""
    faults: Sequence[Fault]
    rate: int
    weight: int
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    @property
    def has_passed(self) -> bool:
        """True if no bad version stayed."""
        has_all = len(self.outcomes) == len(self.faults)
        return has_all and all(one.has_passed for one in self.outcomes)

    def check(self) -> None:
        """Raise :class:`SettingsError` for a fault whose keys are not valid in the service."""
        good = {"version": "1.0.0", "digest": f"sha256:{'0' * 64}"}
        for fault in self.faults:
            release = release_of(self.stack, fault, good, self.weight).release
            self.stack.check(release, faults.keys_of(fault, self.stack.service))

    def run(self) -> None:
        """Run all faults, or those before Ctrl-C."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        try:
            self._deploy()
            with ExitStack() as opened:
                drill = self._drill(opened)
                try:
                    for one in drill.run(self.faults):
                        self.outcomes.append(one)
                        self.say(f"{one.fault}: {one.verdict}")
                finally:
                    self._write_report(drill)
        except KeyboardInterrupt:
            self.say("interrupted")
        finally:
            self._delete()

    def say(self, text: str) -> None:
        """Print a line about a step."""
        print(f"{datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)

    def _deploy(self) -> None:
        stable = self.settings.services[self.stack.service.name].release.stable
        good = {"version": stable.version}
        if digest := stable.digest or self._running_digest(stable.version):
            good["digest"] = digest
        self.stack.write({"stable": good})
        log = self.stack.log.relative_to(PROJECT_FOLDER)
        self.say(f"deploying {self.stack.name}; the output of its commands is in {log}")
        self.stack.run("up", seconds=UPDATE_SECONDS)

    def _running_digest(self, version: str) -> str | None:
        """Digest of the version in the stack that is copied, if it runs there."""
        try:
            outputs = Stack(self.stack.source, self.stack.environment).outputs()
        except CommandError:
            return None  # it is not deployed
        running = outputs.get("services", {}).get(self.stack.service.name, {}).get("stable", {})
        image = running.get("image", "")
        return image.rpartition("@")[2] if running.get("version") == version else None

    def _drill(self, opened: ExitStack) -> Drill:
        settings, environment = self.stack.settings, self.stack.environment
        service = settings.services[self.stack.service.name]
        assert service.routing  # noqa: S101
        client = None
        if settings.observability.mode == "bundled":
            client = opened.enter_context(ObservabilityClient(settings, environment))
        (measured,) = monitored(settings, [service])
        header = service.drill.version_header or ""
        url, headers = target(f"{service.routing.url}{service.drill.path}")
        load = Load(url, self.rate, headers, version_header=header, max_seconds=_LOAD_SECONDS)
        opened.enter_context(load)
        is_alone = self.stack.strategy in ("rolling", "blueGreen")
        context = settings.cluster.context
        detector = Detector(measured, environment, context, client, is_alone=is_alone)
        return Drill(self.stack, measured, detector, load, client, self.weight, self.say)

    def _write_report(self, drill: Drill) -> None:
        if self.outcomes:
            name = f"drill-{self.stack.source}-{self.stack.strategy}.html"
            drill_report.write(drill, self.outcomes, PROJECT_FOLDER / "out" / name)
            self.say(f"the report is in out/{name}")

    def _delete(self) -> None:
        self.say(f"deleting {self.stack.name}")
        try:
            self.stack.delete()
        except (CommandError, KeyboardInterrupt) as error:
            print(
                f"{self.stack.name} is not deleted ({error or 'interrupted'}): "
                f"{self.stack.how_to_delete}",
                file=sys.stderr,
            )

    def notify(self) -> None:
        """Notify the receivers of the stack that is copied."""
        source = Stack(self.stack.source, self.stack.environment)
        stayed = [one.fault for one in self.outcomes if not one.has_passed]
        ended = len(self.outcomes) - len(stayed)
        result = f"{self.stack.strategy}: {ended} of {len(self.faults)} bad versions were ended"
        if stayed:
            result += f", {', '.join(stayed)} stayed"
        with Notifier(self.settings, source, self.stack.environment) as notifier:
            notifier.drilled(self.stack.service.name, result)

    def print(self, form: str, out: Path | None) -> None:
        """Print the outcomes, or write them to ``out``."""
        text = StringIO()
        if form == "json":
            data = {
                "stack": self.stack.source,
                "service": self.stack.service.name,
                "strategy": self.stack.strategy,
                "requestsPerSecond": self.rate,
                "faults": [one.as_data() for one in self.outcomes],
            }
            text.write(f"{json.dumps(data, indent=2)}\n")
        else:
            title = f"{self.stack.service.name}, {self.stack.strategy}, {self.rate} requests/s"
            is_terminal = out is None and sys.stdout.isatty()
            console = Console(
                file=None if is_terminal else text, width=None if is_terminal else _WIDTH
            )
            outcome.show(title, self.outcomes, console)
        if out:
            files.write(out, text.getvalue())
        else:
            sys.stdout.write(text.getvalue())


def target(url: str) -> tuple[str, dict[str, str]]:
    """URL and headers of the requests. A name below localhost is always this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host != "localhost" and not host.endswith(".localhost"):
        return url, {}
    local = parts._replace(netloc=f"127.0.0.1:{parts.port or 80}")
    return local.geturl(), {"Host": parts.netloc}


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run(_parse(arguments))


if __name__ == "__main__":
    sys.exit(main())
