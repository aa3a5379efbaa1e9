"""Events of releases, sent to real HTTP servers."""

import time
from datetime import datetime

import pytest

from commands.errors import FAILED, CommandError
from commands.notifications import Notifier, VersionChange, notifier, receivers
from tests.unit.commands.notifications.conftest import SECRET, ConfigMaps, NotifierOf
from tests.unit.commands.notifications.http_receiver import HttpReceiver, Reply, http_receiver

CHANGE = VersionChange("beacon", "1.1.0", "1.0.0")
TOKEN = "xoxb-1-secret"
PATH = "/services/T0/B0/secret"
CHANNEL = {"botToken": SECRET, "channel": "C0123"}
CI = {
    "GITHUB_ACTOR": "octocat",
    "GITHUB_RUN_ID": "7",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "owner/name",
}
RUN = "https://github.com/owner/name/actions/runs/7"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(notifier, "CLOSE_SECONDS", 2)


def posted(ts: str = "1.5") -> Reply:
    """Response of Slack's Web API."""
    return Reply(body=f'{{"ok": true, "ts": "{ts}"}}')


def release(stack: Notifier) -> None:
    """A release with a step and a promotion."""
    with stack:
        stack.started(CHANGE, weight=10)
        stack.stepped(CHANGE, 50)
        stack.promoted(CHANGE)


def test_a_webhook_gets_each_event_with_all_fields(
    receiver: HttpReceiver, notifier_of: NotifierOf
) -> None:
    with notifier_of({"webhook": SECRET}, CI, webhook=receiver.url(PATH)) as stack:
        stack.started(CHANGE, weight=10)
        stack.rolled_back(CHANGE, reason="error ratio 6.8 %, at most 1 %")
    (path, headers, start), (_, _, rollback) = receiver.requests
    assert (path, headers["Content-Type"]) == (PATH, "application/json; charset=utf-8")
    assert start.pop("id").startswith("prod/beacon/1.1.0/")
    datetime.fromisoformat(start.pop("time"))
    assert len(start.pop("commit")) == 40
    assert start == {
        "event": "start",
        "stack": "prod",
        "service": "beacon",
        "version": "1.1.0",
        "previousVersion": "1.0.0",
        "weight": 10,
        "reason": None,
        "user": "octocat",
        "link": RUN,
    }
    assert (rollback["event"], rollback["weight"]) == ("rollback", 0)
    assert rollback["reason"] == "error ratio 6.8 %, at most 1 %"


def test_all_events_of_a_release_have_one_id_and_another_release_has_another(
    receiver: HttpReceiver, notifier_of: NotifierOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command() -> Notifier:
        return notifier_of({"webhook": SECRET}, webhook=receiver.url(PATH))

    with command() as one:
        one.started(CHANGE, weight=10)
    with command() as another_machine:
        another_machine.promoted(CHANGE)
    with command() as next_day:
        next_day.rolled_back(CHANGE)
        next_day.started(VersionChange("beacon", "1.2.0", "1.0.0"))
    *first, second = [body["id"] for body in receiver.bodies]
    assert len(set(first)) == 1
    assert second not in first


def test_slack_has_one_thread_for_a_release_also_of_commands_on_other_machines(
    receiver: HttpReceiver, notifier_of: NotifierOf
) -> None:
    receiver.default = posted()
    slack = {"slack": {**CHANNEL, "apiUrl": receiver.url("/api")}}
    with notifier_of(slack, **{"slack.botToken": TOKEN}) as stack:
        stack.started(CHANGE, weight=10)
        stack.stepped(CHANGE, 50)
    with notifier_of(slack, **{"slack.botToken": TOKEN}) as later:
        later.promoted(CHANGE)
    start, step, promotion = receiver.bodies
    path, headers, _ = receiver.requests[0]
    assert (path, headers["Authorization"]) == ("/api/chat.postMessage", f"Bearer {TOKEN}")
    assert start["channel"] == "C0123"
    assert "thread_ts" not in start
    assert (step["thread_ts"], step["reply_broadcast"]) == ("1.5", False)
    assert (promotion["thread_ts"], promotion["reply_broadcast"]) == ("1.5", True)


def test_the_next_message_starts_the_thread_if_slack_did_not_get_the_first(
    receiver: HttpReceiver, notifier_of: NotifierOf
) -> None:
    receiver.replies = [Reply(400), posted("2.5"), posted("3.5")]
    slack = {"slack": {**CHANNEL, "apiUrl": receiver.url("/api")}}
    release(notifier_of(slack, **{"slack.botToken": TOKEN}))
    assert [body.get("thread_ts") for body in receiver.bodies] == [None, None, "2.5"]


def test_two_services_have_two_threads(receiver: HttpReceiver, notifier_of: NotifierOf) -> None:
    receiver.replies = [posted("1.1"), posted("2.2"), posted(), posted()]
    slack = {"slack": {**CHANNEL, "apiUrl": receiver.url("/api")}}
    other = VersionChange("hello", "1.1.0", "1.0.0")
    with notifier_of(slack, **{"slack.botToken": TOKEN}) as stack:
        stack.started(CHANGE)
        stack.started(other)
        stack.promoted(CHANGE)
        stack.promoted(other)
    assert [body.get("thread_ts") for body in receiver.bodies[2:]] == ["1.1", "2.2"]


@pytest.mark.parametrize(
    ("send", "message"),
    [
        (
            lambda stack: stack.started(CHANGE, weight=10),
            "*beacon 1.1.0* in prod: release started, 10 % of the requests. "
            "1.0.0 serves until the promotion",
        ),
        (
            lambda stack: stack.started(VersionChange("beacon", "1.0.0")),
            "*beacon 1.0.0* in prod: release started",
        ),
        (
            lambda stack: stack.stepped(CHANGE, 50),
            "*beacon 1.1.0* in prod: 50 % of the requests",
        ),
        (
            lambda stack: stack.promoted(CHANGE),
            "*beacon 1.1.0* in prod: promoted. It replaces 1.0.0",
        ),
        (
            lambda stack: stack.rolled_back(CHANGE, reason="p95 <450 ms> & more"),
            "*beacon 1.1.0* in prod: rolled back to 1.0.0. p95 &lt;450 ms&gt; &amp; more",
        ),
        (
            lambda stack: stack.drilled("beacon", "7 of 7 bad versions were rolled back"),
            "*beacon* in prod: drill ended. 7 of 7 bad versions were rolled back",
        ),
        (lambda stack: stack.failed("Deploy"), "*prod*: failed. Deploy"),
    ],
    ids=["start", "first", "step", "promotion", "rollback", "drill", "failure"],
)
def test_a_message_says_what_happened_and_who_did_it(
    receiver: HttpReceiver, notifier_of: NotifierOf, send, message: str
) -> None:
    url = receiver.url(PATH)
    with notifier_of({"slack": {"webhook": SECRET}}, CI, **{"slack.webhook": url}) as stack:
        send(stack)
    ((path, _, body),) = receiver.requests
    first, second = body["text"].split("\n")
    assert (path, first) == (PATH, message)
    assert second.startswith("by octocat, commit ")
    assert second.endswith(f" <{RUN}|details>")


def test_outside_of_ci_the_link_is_that_of_the_dashboards(
    receiver: HttpReceiver, notifier_of: NotifierOf
) -> None:
    keys = {"webhook": SECRET, "dashboardUrl": "https://grafana.example.com"}
    with notifier_of(keys, webhook=receiver.url(PATH)) as stack:
        stack.promoted(CHANGE)
    assert receiver.bodies[0]["link"] == "https://grafana.example.com"


@pytest.mark.parametrize(
    ("reply", "requests", "line"),
    [
        (Reply(500), 2, "status 500"),
        (Reply(404), 1, "status 404"),
        (Reply(302, headers={"Location": "http://127.0.0.1:1/"}), 1, "status 302"),
        (Reply(seconds=1), 2, "no response within"),
    ],
    ids=["error", "not found", "redirect", "slow"],
)
def test_a_receiver_that_fails_is_one_line_and_no_error(
    receiver: HttpReceiver,
    notifier_of: NotifierOf,
    capsys: pytest.CaptureFixture[str],
    *,
    reply: Reply,
    requests: int,
    line: str,
) -> None:
    receiver.default = reply
    with notifier_of({"webhook": SECRET}, webhook=receiver.url(PATH)) as stack:
        stack.promoted(CHANGE)
    assert len(receiver.requests) == requests
    output = capsys.readouterr()
    (printed,) = output.out.splitlines()
    assert printed.startswith("notifications: the webhook did not get 1 of the events: ")
    assert line in printed
    assert "secret" not in output.out + output.err


def test_a_receiver_that_fails_once_gets_the_event(
    receiver: HttpReceiver, notifier_of: NotifierOf, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.replies = [Reply(503)]
    with notifier_of({"webhook": SECRET}, webhook=receiver.url(PATH)) as stack:
        stack.promoted(CHANGE)
    assert len(receiver.requests) == 2
    assert capsys.readouterr().out == ""


def test_a_receiver_that_is_down_delays_neither_the_release_nor_the_others(
    notifier_of: NotifierOf, capsys: pytest.CaptureFixture[str]
) -> None:
    with http_receiver() as slow, http_receiver() as other:
        slow.default = Reply(seconds=30)
        stack = notifier_of(
            {"slack": {"webhook": SECRET}, "webhook": SECRET},
            **{"slack.webhook": slow.url(PATH), "webhook": other.url(PATH)},
        )
        before = time.monotonic()
        with stack:
            for weight in range(10, 60, 5):
                stack.stepped(CHANGE, weight)
            sent = time.monotonic() - before
        assert sent < 0.3
        assert time.monotonic() - before < 4
        assert [body["weight"] for body in other.bodies] == [*range(10, 60, 5)]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("notifications: Slack did not get 10 of the events: no response")


def test_slacks_refusal_is_one_line(
    receiver: HttpReceiver, notifier_of: NotifierOf, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.default = Reply(body='{"ok": false, "error": "not_in_channel"}')
    slack = {"slack": {**CHANNEL, "apiUrl": receiver.url("/api")}}
    release(notifier_of(slack, **{"slack.botToken": TOKEN}))
    output = capsys.readouterr().out
    assert output == "notifications: Slack did not get 3 of the events: not_in_channel\n"


@pytest.mark.parametrize(
    ("secret", "line"),
    [
        (CommandError("incorrect passphrase", FAILED), "cannot be decrypted"),
        ("ftp://secret.example.com", "use a URL, like https://example.com/path"),
        ("http://127.0.0.1:1/secret", "did not get 1 of the events: Connection refused"),
    ],
    ids=["no passphrase", "no URL", "no server"],
)
def test_an_unusable_secret_is_one_line_without_its_value(
    notifier_of: NotifierOf, capsys: pytest.CaptureFixture[str], secret, line: str
) -> None:
    with notifier_of({"webhook": SECRET}, webhook=secret) as stack:
        stack.failed("Deploy")
    (printed,) = capsys.readouterr().out.splitlines()
    assert line in printed
    assert "secret" not in printed


def test_events_are_sent_while_the_cluster_is_down(
    receiver: HttpReceiver, notifier_of: NotifierOf, config_maps: ConfigMaps
) -> None:
    config_maps.is_down = True
    release(notifier_of({"webhook": SECRET}, webhook=receiver.url(PATH)))
    assert [body["event"] for body in receiver.bodies] == ["start", "step", "promotion"]
    assert len({body["id"] for body in receiver.bodies}) == 1


def test_nothing_is_read_or_sent_without_receivers(
    notifier_of: NotifierOf, config_maps: ConfigMaps, capsys: pytest.CaptureFixture[str]
) -> None:
    release(notifier_of({}))
    assert config_maps.data == {}
    assert capsys.readouterr().out == ""


def test_a_long_reason_is_truncated_and_has_no_control_characters(
    receiver: HttpReceiver, notifier_of: NotifierOf
) -> None:
    with notifier_of({"webhook": SECRET}, webhook=receiver.url(PATH)) as stack:
        stack.rolled_back(CHANGE, reason="\x1b[31m" + "x" * 2000)
    reason = receiver.bodies[0]["reason"]
    assert "\x1b" not in reason
    assert len(reason) == 1001
