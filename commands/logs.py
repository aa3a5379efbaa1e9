"""``make logs``: log lines of services, from Loki."""

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import get_args

from rich.console import Console
from rich.text import Text

from commands.control_characters import escape_control_characters
from commands.errors import CommandError
from commands.make_variables import parse_duration, parse_flag, parse_trace_id
from commands.observability_client import LogLine, ObservabilityClient
from commands.port_forward import ServerDownError
from commands.service_option import selected_services
from components.observability.log_levels import LEVEL_SPELLINGS
from components.observability.queries import log_selector
from settings import LogKeys, Settings, Track

LEVELS = tuple(LEVEL_SPELLINGS)
LINES = 100
"""Maximum number of lines without ``FOLLOW``."""
FOLLOW_SECONDS = 2
"""Interval between two queries with ``FOLLOW``."""
DEFAULT_SINCE = "15m"
_LEVEL_ALIASES = {"warning": "warn"}
_STYLES = {
    "trace": "dim",
    "debug": "dim",
    "info": "green",
    "warn": "yellow",
    "error": "red",
    "fatal": "bold red",
}
_COLUMNS = {"service", "track", "version"}
"""Fields of a line that are shown from its labels."""


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
    formatter = LineFormatter(client.settings)
    for line in lines:
        console.print(formatter.format(line), soft_wrap=True)
    if not lines:
        console.print(
            f"no log line in the last {since}: {query}\nSINCE=24h looks further back",
            style="dim",
            markup=False,
        )
    if follow:
        last = lines[-1].nanoseconds if lines else time.time_ns()
        _follow(client, query, last, formatter, console)


def log_query(settings: Settings, arguments: Namespace) -> str:
    """LogQL query for the options of the command."""
    services = selected_services(settings, arguments.service)
    query = log_selector(settings.namespace.name, *(service.name for service in services))
    if arguments.track:
        _check("TRACK", arguments.track, get_args(Track))
        query += f' | track="{arguments.track}"'
    if arguments.level:
        level: str = arguments.level.lower()
        level = _LEVEL_ALIASES.get(level, level)
        _check("LEVEL", level, LEVELS)
        query += f' | level="{level}"'
    elif not arguments.trace:
        # Most debug lines are of the kubelet's probes.
        query += ' | level!~"debug|trace"'
    if arguments.trace:
        query += f' | trace_id="{parse_trace_id(arguments.trace)}"'
    return query


class LineFormatter:
    """Formats log lines for a terminal, with the keys of the service that wrote them."""

    def __init__(self, settings: Settings) -> None:
        self._keys = {name: service.logs.keys for name, service in settings.services.items()}

    def format(self, line: LogLine) -> Text:
        """Format one line. The text of a line that is not a JSON object is unchanged."""
        service = line.labels.get("service_name", "")
        at = datetime.fromtimestamp(line.nanoseconds / 1e9, UTC).astimezone()
        shown = Text(f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} ", style="dim")
        if len(self._keys) > 1:
            shown.append(f"{service:{max(map(len, self._keys))}} ")
        try:
            written = json.loads(line.text)
        except (json.JSONDecodeError, RecursionError):
            written = None
        if not isinstance(written, dict):
            return shown.append(escape_control_characters(line.text), "default not dim")
        fields = {
            name: escape_control_characters(value if isinstance(value, str) else json.dumps(value))
            for name, value in written.items()
        }
        keys = self._keys.get(service, LogKeys())
        level = line.labels.get("level") or _first(fields, keys.level)[:5]
        shown.append(f"{level.upper():5} ", f"not dim {_STYLES.get(level.lower(), 'default')}")
        track, version = (line.labels.get(n) or fields.get(n, "") for n in ("track", "version"))
        shown.append(f"{track:6} {version}  ")
        shown.append(_first(fields, keys.message), "default not dim")
        columns = {name for key in _KEYS for name in getattr(keys, key)} | _COLUMNS
        for name, value in fields.items():
            if name not in columns:
                shown.append(f"  {escape_control_characters(name)}={value}")
        if trace := _first(fields, keys.trace_id):
            shown.append(f"  trace={trace}", "not dim cyan")
        return shown


_KEYS = ("level", "message", "time", "trace_id", "span_id")


def _first(fields: Mapping[str, str], keys: Sequence[str]) -> str:
    """Value of the first of ``keys`` that is in ``fields``, or an empty string."""
    return next((fields[key] for key in keys if key in fields), "")


def _follow(
    client: ObservabilityClient,
    query: str,
    last: int,
    formatter: LineFormatter,
    console: Console,
) -> None:
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
                console.print(formatter.format(line), soft_wrap=True)
                last = line.nanoseconds
    except KeyboardInterrupt:
        return


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise CommandError(f"{name}={value}: use {', '.join(allowed[:-1])} or {allowed[-1]}")
