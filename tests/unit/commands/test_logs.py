"""`make logs`, with responses of Loki given by the tests."""

import time
from argparse import ArgumentParser, Namespace
from typing import Any

import pytest
from rich.console import Console

from commands import logs
from commands.errors import CommandError
from commands.observability_client import LogLine
from components.observability.addresses import LOKI
from tests.unit.commands.fake_kubectl import Cluster, printed
from tests.unit.stacks import BEACON, settings

PATH = "/loki/api/v1/query_range"
TRACE = "0af7651916cd43dd8448eb211c80319c"
ALL = '{k8s_namespace_name="beacon-test",service_name="beacon"}'
WRITTEN = (
    '{"timestamp":"2026-11-21T12:00:00.000Z","level":"error","message":"request failed",'
    f'"service":"beacon","version":"1.0.0","track":"stable","trace_id":"{TRACE}","span_id":"",'
    '"status":500,"path":"/api"}'
)


FORMATTER = logs.LineFormatter(settings())


def given(**options: str) -> Namespace:
    parser = ArgumentParser()
    logs.add_arguments(parser)
    return parser.parse_args([f"--{name}={value}" for name, value in options.items()])


def streams(*lines: tuple[int, str]) -> dict[str, Any]:
    values = [[str(at), text] for at, text in lines]
    return {"data": {"resultType": "streams", "result": [{"stream": {}, "values": values}]}}


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, f'{ALL} | level!~"debug|trace"'),
        ({"track": "canary"}, f'{ALL} | track="canary" | level!~"debug|trace"'),
        ({"level": "debug"}, f'{ALL} | level="debug"'),
        ({"level": "error"}, f'{ALL} | level="error"'),
        ({"level": "WARNING"}, f'{ALL} | level="warn"'),
        ({"trace": TRACE}, f'{ALL} | trace_id="{TRACE}"'),
        ({"track": "stable", "level": "warn"}, f'{ALL} | track="stable" | level="warn"'),
    ],
)
def test_options_are_part_of_the_query(options: dict[str, str], query: str) -> None:
    assert logs.log_query(settings(), given(**options)) == query


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"track": "blue"}, "TRACK=blue: use stable or canary"),
        ({"level": "loud"}, "LEVEL=loud: use trace, debug, info, warn, error or fatal"),
        ({"trace": '"} or {a="'}, "use the 32 hexadecimal digits"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        logs.log_query(settings(), given(**options))


def test_a_json_line_shows_its_message_first() -> None:
    shown = FORMATTER.format(LogLine(1_000_000_000, {}, WRITTEN)).plain
    assert shown[8:] == (
        f".000 ERROR stable 1.0.0  request failed  status=500  path=/api  trace={TRACE}"
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"time":"2026-01-01T00:00:00Z","level":"WARN","msg":"hello","count":1}',
        '{"ts":1767225600.0,"level":"warn","msg":"hello","count":1}',
        '{"level":"warning","time":"2026-01-01T00:00:00Z","msg":"hello","count":1}',
        '{"time":1767225600,"level":40,"message":"hello","count":1}',
    ],
)
def test_lines_of_common_loggers_look_alike(text: str) -> None:
    labels = {"service_name": "beacon", "level": "warn", "track": "canary", "version": "1.1.0"}
    shown = FORMATTER.format(LogLine(1_000_000_000, labels, text)).plain
    assert shown[8:] == ".000 WARN  canary 1.1.0  hello  count=1"


def test_lines_of_several_services_have_their_names_and_keys() -> None:
    hello = {**BEACON, "routing": None, "logs": {"keys": {"message": ["text"]}}}
    formatter = logs.LineFormatter(settings(services={"hello": hello}))
    line = LogLine(1_000_000_000, {"service_name": "hello"}, '{"text":"hi","msg":"no message"}')
    assert formatter.format(line).plain[13:] == "hello                 hi  msg=no message"


def test_without_a_service_lines_of_all_are_shown() -> None:
    hello = {**BEACON, "routing": None}
    query = logs.log_query(settings(services={"hello": hello}), given())
    assert 'service_name=~"beacon|hello"' in query


@pytest.mark.parametrize("text", ["panic: oops", "{broken", "[1, 2]", "42", ""])
def test_a_line_that_is_not_a_json_object_is_unchanged(text: str) -> None:
    assert FORMATTER.format(LogLine(0, {}, text)).plain[13:] == text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ('{"message":"\\u001b[2Jgone"}', "\\x1b[2Jgone"),
        ("\u202egone", "\\u202egone"),
        ('{"message":"\u202egone"}', "\\u202egone"),
        ('{"\\u2066path":"\\ud800gone"}', "\\u2066path=\\ud800gone"),
    ],
)
def test_control_characters_are_escaped(written: str, shown: str) -> None:
    assert shown in FORMATTER.format(LogLine(0, {}, written)).plain


def test_markup_in_a_line_is_unchanged(cluster: Cluster, console: Console) -> None:
    cluster.respond(LOKI, PATH, streams((1, "[red]not red[/red]")))
    with cluster.client() as client:
        logs.show(client, given(), console)
    assert "[red]not red[/red]" in printed(console)


def test_the_newest_line_is_last(cluster: Cluster, console: Console) -> None:
    cluster.respond(LOKI, PATH, streams((2, "second"), (1, "first")))
    with cluster.client() as client:
        logs.show(client, given(), console)
    assert printed(console).index("first") < printed(console).index("second")
    (request,) = cluster.requests()
    assert request["query"] == f'{ALL} | level!~"debug|trace"'
    assert request["direction"] == "backward"
    assert int(request["end"]) - int(request["start"]) == pytest.approx(900e9, rel=0.01)


def test_a_logql_query_replaces_the_options(cluster: Cluster, console: Console) -> None:
    cluster.respond(LOKI, PATH, streams())
    with cluster.client() as client:
        logs.show(client, given(query='{a="b"}', since="1h"), console)
    assert cluster.requests()[0]["query"] == '{a="b"}'
    assert 'no log line in the last 1h: {a="b"}' in printed(console)


def test_follow_continues_after_the_last_line(
    cluster: Cluster, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.respond(LOKI, PATH, streams((6, "new")), containing="direction=forward")
    cluster.respond(LOKI, PATH, streams((5, "old")), containing="direction=backward")
    sleep, naps = time.sleep, iter([None, None, KeyboardInterrupt])

    def nap(seconds: float) -> None:
        if seconds != logs.FOLLOW_SECONDS:
            sleep(seconds)
        elif end := next(naps):
            raise end

    with cluster.client() as client:
        monkeypatch.setattr(time, "sleep", nap)
        logs.show(client, given(follow="1"), console)
        monkeypatch.undo()
    assert [request["start"] for request in cluster.requests()[1:]] == ["6", "7"]
    assert printed(console).index("old") < printed(console).index("new")


def test_follow_continues_when_loki_is_back(
    cluster: Cluster, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.respond(LOKI, PATH, streams((5, "old")))
    sleep, naps = time.sleep, 0

    def nap(seconds: float) -> None:
        nonlocal naps
        if seconds != logs.FOLLOW_SECONDS:
            sleep(seconds)
            return
        naps += 1
        if naps == 1:
            cluster.respond(LOKI, PATH, "", status=0)
        elif naps == 3:
            cluster.respond(LOKI, PATH, streams((6, "new")))
        elif naps == 4:
            raise KeyboardInterrupt

    with cluster.client() as client:
        monkeypatch.setattr(time, "sleep", nap)
        logs.show(client, given(follow="1"), console)
        monkeypatch.undo()
    assert printed(console).count("loki is down") == 1
    assert printed(console).index("loki is down") < printed(console).index("new")
