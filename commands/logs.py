"""``make logs``: log lines of the service, from Loki."""

import json
import time
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import get_args

from rich.console import Console
from rich.text import Text

from commands.control_characters import escape_control_characters
from commands.errors import CommandError
from commands.make_variables import parse_duration, parse_flag, parse_trace_id
from commands.observability_client import LogLine, ObservabilityClient
from commands.port_forward import ServerDownError
from commands.service_option import selected_service
from components.observability.queries import log_selector
from settings import Settings, Track

LEVELS = ("debug", "info", "warn", "error", "fatal")
LINES = 100
"""Maximum number of lines without ``FOLLOW``."""
FOLLOW_SECONDS = 2
"""Interval between two queries with ``FOLLOW``."""
DEFAULT_SINCE = "15m"
_STYLES = {"debug": "dim", "info": "green", "warn": "yellow", "error": "red", "fatal": "bold red"}
_COLUMNS = {"timestamp", "level", "message", "service", "track", "trace_id", "span_id", "version"}


def add_arguments(parser: ArgumentParser) -> None:
    """Options of `make logs`."""
    for name in ("service", "track", "level", "trace", "query", "since", "follow"):
        parser.add_argument(f"--{name}", default="")


def show(client: ObservabilityClient, arguments: Namespace, console: Console) -> None:
    """Print the newest lines, oldest first; with ``follow``, new ones until Ctrl-C."""
    follow = parse_flag("FOLLOW", arguments.follow)
    query = arguments.query or log_query(client.settings, arguments)
    since = arguments.since or DEFAULT_SINCE
    start = time.time_ns() - parse_duration("SINCE", since) * 1_000_000_000
    lines = client.log_lines(query, start, LINES)
    for line in lines:
        console.print(format_line(line), soft_wrap=True)
    if not lines:
        console.print(
            f"no log line in the last {since}: {query}\nSINCE=24h looks further back",
            style="dim",
            markup=False,
        )
    if follow:
        _follow(client, query, lines[-1].nanoseconds if lines else time.time_ns(), console)


def log_query(settings: Settings, arguments: Namespace) -> str:
    """LogQL query for the options of the command."""
    query = log_selector(
        settings.namespace.name, selected_service(settings, arguments.service).name
    )
    if arguments.track:
        _check("TRACK", arguments.track, get_args(Track))
        query += f' | track="{arguments.track}"'
    if arguments.level:
        _check("LEVEL", arguments.level, LEVELS)
        query += f' | level="{arguments.level}"'
    elif not arguments.trace:
        # Most debug lines are of the kubelet's probes.
        query += ' | level!="debug"'
    if arguments.trace:
        query += f' | trace_id="{parse_trace_id(arguments.trace)}"'
    return query


def format_line(line: LogLine) -> Text:
    """Format one line for a terminal; a line that is not a JSON object is unchanged."""
    at = datetime.fromtimestamp(line.nanoseconds / 1e9, UTC).astimezone()
    shown = Text(f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} ", style="dim")
    try:
        fields = json.loads(line.text)
    except json.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        return shown.append(escape_control_characters(line.text), "default not dim")
    fields = {
        name: escape_control_characters(value if isinstance(value, str) else json.dumps(value))
        for name, value in fields.items()
    }
    level = fields.get("level", "")
    shown.append(f"{level.upper():5} ", f"not dim {_STYLES.get(level, 'default')}")
    shown.append(f"{fields.get('track', ''):6} {fields.get('version', '')}  ")
    shown.append(fields.get("message", ""), "default not dim")
    for name, value in fields.items():
        if name not in _COLUMNS:
            shown.append(f"  {escape_control_characters(name)}={value}")
    if fields.get("trace_id"):
        shown.append(f"  trace={fields['trace_id']}", "not dim cyan")
    return shown


def _follow(client: ObservabilityClient, query: str, last: int, console: Console) -> None:
    is_down = False
    try:
        while True:
            time.sleep(FOLLOW_SECONDS)
            try:
                lines = client.log_lines(query, last + 1, 1000, newest=False)
            except ServerDownError as error:
                if not is_down:
                    console.print(f"{error}; waiting", style="dim", markup=False)
                is_down = True
                continue
            is_down = False
            for line in lines:
                console.print(format_line(line), soft_wrap=True)
                last = line.nanoseconds
    except KeyboardInterrupt:
        return


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise CommandError(f"{name}={value}: use {', '.join(allowed[:-1])} or {allowed[-1]}")
