"""``make report``: one HTML file about the last release of a service, a version, or a time."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime

from commands.errors import CommandError, report_errors
from commands.make_variables import parse_duration
from commands.observability_client import ObservabilityClient, monitored
from commands.out_option import out_file
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from commands.release import parse_version
from commands.release_records import ReleaseRecord, ReleaseRecords
from commands.report.collection import Collection
from commands.report.data import Report
from commands.report.page import render
from commands.service_option import selected_service
from components.observability.queries import PODS
from local import files
from settings import Service, Settings, load
from settings.stack_file import PROJECT_FOLDER

DEFAULT_SINCE = "1h"
_BEFORE_SECONDS = 120
"""Time before a release that the report shows."""
_AFTER_SECONDS = 300
"""Time after a release: the rates are of 5 minutes."""
_LONGEST_SEARCH_SECONDS = 7 * 86_400
"""How far back a version without a record is looked for."""


def run(arguments: argparse.Namespace) -> int:
    """Write the file, print its path, and return the exit code."""
    if arguments.release and arguments.since:
        raise CommandError(
            f"RELEASE={arguments.release} SINCE={arguments.since}: use one of them, not both"
        )
    if arguments.release:
        parse_version(arguments.release)
    seconds = parse_duration("SINCE", arguments.since or DEFAULT_SINCE)
    settings = load(arguments.stack)
    service = selected_service(settings, arguments.service)
    variables = {**os.environ, **Prerequisites(settings).variables()}
    records = ReleaseRecords(settings, variables).of(service.name)
    is_bundled = settings.observability.mode == "bundled"
    with ObservabilityClient(settings, variables) as client:
        now = time.time()
        start, end = now - seconds, now
        if arguments.release:
            start, end = _window(arguments.release, records, settings, service, client)
        elif not arguments.since and records:
            start, end = _around(records[0], now)
        what = arguments.release or (records[0].version if records and not arguments.since else "")
        title = f"{service.name} {what}".strip() + f" in {settings.namespace.name}"
        report = Report(title, start, end)
        collection = Collection(report, settings, service)
        if is_bundled:
            collection.add_metrics(client)
            collection.add_logs(client)
        else:
            mode = settings.observability.mode
            report.missing.append(f"metrics and log lines: observability.mode is {mode}")
        collection.add_records(records)
        collection.add_flagger_events(variables)
        collection.add_updates(Stack(arguments.stack, variables))
    out = arguments.out or PROJECT_FOLDER / "out" / f"report-{arguments.stack}-{service.name}.html"
    files.write(out, render(report))
    for missing in report.missing:
        print(f"missing: {missing}", file=sys.stderr)
    print(out if arguments.out else out.relative_to(PROJECT_FOLDER))
    return 0


def _around(record: ReleaseRecord, now: float) -> tuple[float, float]:
    start = datetime.fromisoformat(record.started).timestamp()
    end = datetime.fromisoformat(record.ended).timestamp() if record.ended else now
    return start - _BEFORE_SECONDS, min(end + _AFTER_SECONDS, now)


def _window(
    version: str,
    records: Sequence[ReleaseRecord],
    settings: Settings,
    service: Service,
    client: ObservabilityClient,
) -> tuple[float, float]:
    """Time of a version's release: that of its record, or else of its first pods.

    Raises :class:`CommandError` if nothing knows the version.
    """
    now = time.time()
    for record in records:
        if record.version == version:
            return _around(record, now)
    if settings.observability.mode == "bundled":
        (measured,) = monitored(settings, [service])
        pods = f"sum({PODS}{{{measured.selector(version=version)}}}) > 0"
        found = client.query_between(pods, now - _LONGEST_SEARCH_SECONDS, now, 5000)
        if found:
            times = found[0].times
            first = times[0] - _BEFORE_SECONDS
            return first, min(times[-1] + _AFTER_SECONDS, first + 3600, now)
    raise CommandError(
        f"RELEASE={version}: there is neither a record nor a series of it. Use SINCE=6h"
    )


def _parse(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="commands.report", description=__doc__)
    parser.add_argument("--stack", default="dev")
    for name in ("service", "release", "since"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--out", type=out_file, help="file to write")
    return parser.parse_args(given)


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run(_parse(arguments))


if __name__ == "__main__":
    sys.exit(main())
