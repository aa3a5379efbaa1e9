"""The service's log lines, from Loki."""

import json
import re
import time
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import get_args

from rich.console import Console
from rich.text import Text

from commands.errors import CommandError
from commands.monitoring import Line, Monitoring, period, scope_of
from commands.port_forward import ServerDownError
from commands.printable import printable
from commands.switch import is_on
from settings import Settings, Track

LEVELS = ("debug", "info", "warn", "error", "fatal")
LINES = 100
"""How many are shown."""
FOLLOW_SECONDS = 2
"""From one look for new lines to the next."""
_TRACE = re.compile(r"[0-9a-f]{32}")
_STYLES = {"debug": "dim", "info": "green", "warn": "yellow", "error": "red", "fatal": "bold red"}
_SHOWN = {"timestamp", "level", "message", "service", "track", "trace_id", "span_id", "version"}


def add_arguments(parser: ArgumentParser) -> None:
    """What `make logs` passes on."""
    for name, default in (("track", ""), ("level", ""), ("trace", ""), ("query", "")):
        parser.add_argument(f"--{name}", default=default)
    parser.add_argument("--since", default="")
    parser.add_argument("--follow", default="")


def show(monitoring: Monitoring, arguments: Namespace, console: Console) -> None:
    """Print the last lines, the newest last; with ``follow`` go on until Ctrl-C."""
    follow = is_on("FOLLOW", arguments.follow)
    query = arguments.query or selection(monitoring.settings, arguments)
    since = time.time_ns() - period(arguments.since or "15m", "SINCE") * 1_000_000_000
    lines = monitoring.lines(query, since, LINES)
    for line in lines:
        console.print(text(line), soft_wrap=True)
    if not lines:
        console.print(
            f"no line in the last {arguments.since or '15m'}: {query}\n"
            "SINCE=24h looks further back",
            style="dim",
            markup=False,
        )
    if follow:
        _follow(monitoring, query, lines[-1].nanoseconds if lines else time.time_ns(), console)


def selection(settings: Settings, arguments: Namespace) -> str:
    """LogQL for the lines that were asked for."""
    query = scope_of(settings).logs
    if arguments.track:
        _check("TRACK", arguments.track, get_args(Track))
        query += f' | track="{arguments.track}"'
    if arguments.level:
        _check("LEVEL", arguments.level, LEVELS)
        query += f' | level="{arguments.level}"'
    elif not arguments.trace:
        # Probes, every second or two, are what a service says most at this level.
        query += ' | level!="debug"'
    if arguments.trace:
        if not _TRACE.fullmatch(arguments.trace):
            raise CommandError(f"TRACE={arguments.trace}: use the 32 hexadecimal digits of a trace")
        query += f' | trace_id="{arguments.trace}"'
    return query


def text(line: Line) -> Text:
    """One line for a terminal; what is no JSON object stays as it was written."""
    at = datetime.fromtimestamp(line.nanoseconds / 1e9, UTC).astimezone()
    shown = Text(f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} ", style="dim")
    try:
        fields = json.loads(line.text)
    except json.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        return shown.append(printable(line.text), "default not dim")
    fields = {
        name: printable(value if isinstance(value, str) else json.dumps(value))
        for name, value in fields.items()
    }
    level = fields.get("level", "")
    shown.append(f"{level.upper():5} ", f"not dim {_STYLES.get(level, 'default')}")
    shown.append(f"{fields.get('track', ''):6} {fields.get('version', '')}  ")
    shown.append(fields.get("message", ""), "default not dim")
    for name, value in fields.items():
        if name not in _SHOWN:
            shown.append(f"  {printable(name)}={value}")
    if fields.get("trace_id"):
        shown.append(f"  trace={fields['trace_id']}", "not dim cyan")
    return shown


def _follow(monitoring: Monitoring, query: str, last: int, console: Console) -> None:
    is_down = False
    try:
        while True:
            time.sleep(FOLLOW_SECONDS)
            try:
                lines = monitoring.lines(query, last + 1, 1000, newest=False)
            except ServerDownError as error:
                if not is_down:
                    console.print(f"{error}; waiting for it", style="dim", markup=False)
                is_down = True
                continue
            is_down = False
            for line in lines:
                console.print(text(line), soft_wrap=True)
                last = line.nanoseconds
    except KeyboardInterrupt:
        return


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise CommandError(f"{name}={value}: use {', '.join(allowed[:-1])} or {allowed[-1]}")
