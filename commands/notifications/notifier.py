"""Notifications of the events of a stack's releases."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from queue import SimpleQueue
from threading import Thread
from typing import Self

from commands.errors import CommandError
from commands.notifications.event import Event, EventType, Origin, format_reason
from commands.notifications.grafana import GrafanaAnnotations
from commands.notifications.receivers import (
    TIMEOUT_SECONDS,
    TRIES,
    Receiver,
    ReceiverError,
    SlackChannel,
    SlackWebhook,
    Webhook,
)
from commands.notifications.thread import ReleaseThread, ThreadStore
from commands.pulumi import Stack
from settings import Settings, SlackSettings
from settings.string_formats import SECRET_URL

CLOSE_SECONDS = TIMEOUT_SECONDS * TRIES + 1
"""Longest wait for the receivers at the end of a command."""


@dataclass(frozen=True)
class VersionChange:
    """Change of a service to another version."""

    service: str
    version: str
    """Version that is released. A rollback ends it."""
    previous: str | None = None
    """Version that served before, and serves after a rollback. None: none, or unknown."""


class Notifier:
    """Sends events to the receivers in ``slipway:notifications``, and to the stack's Grafana.

    A context manager. Requests are sent in the background, in the order of the events. The end
    waits at most :data:`CLOSE_SECONDS` for them, and prints one line for each receiver that did not
    get all events. No method raises an error or waits for a receiver. Secrets are decrypted with
    the first event. ``environment`` has the variables of kubectl and of the CI run.
    """

    def __init__(self, settings: Settings, stack: Stack, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._stack = stack
        self._environment = environment
        self._threads: dict[str, ReleaseThread] = {}
        self._failures: list[str] = []
        self._outboxes: list[_Outbox] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        outboxes, self._outboxes = self._outboxes or [], None
        deadline = time.monotonic() + CLOSE_SECONDS
        for outbox in outboxes:
            outbox.close()
        self._failures += [line for one in outboxes if (line := one.wait(deadline))]
        for line in self._failures:
            print(f"notifications: {line}")
        self._failures = []

    @property
    def is_on(self) -> bool:
        """True if the stack has a receiver."""
        return self._has_threads or self._has_grafana

    @property
    def _has_threads(self) -> bool:
        notifications = self._settings.notifications
        return bool(notifications.slack or notifications.webhook)

    @property
    def _has_grafana(self) -> bool:
        observability = self._settings.observability
        return observability.mode == "bundled" and observability.grafana.enabled

    def started(self, change: VersionChange, *, weight: int | None = None) -> None:
        """A release has started: the new version gets ``weight`` percent of the requests."""
        self._send("start", change, weight=weight)

    def stepped(self, change: VersionChange, weight: int, *, reason: str = "") -> None:
        """The new version gets ``weight`` percent of the requests."""
        self._send("step", change, weight=weight, reason=reason)

    def promoted(self, change: VersionChange, *, reason: str = "", decided_by: str = "") -> None:
        """The new version gets every request. ``decided_by`` is by default the user."""
        self._send("promotion", change, weight=100, reason=reason, decided_by=decided_by)

    def rolled_back(self, change: VersionChange, *, reason: str = "", decided_by: str = "") -> None:
        """The previous version gets every request. ``decided_by`` is by default the user."""
        self._send("rollback", change, weight=0, reason=reason, decided_by=decided_by)

    def drilled(self, service: str, result: str) -> None:
        """A drill of a service has ended."""
        self._send("drill", service=service, reason=result)

    def failed(self, reason: str) -> None:
        """A job of a workflow has failed."""
        self._send("failure", reason=reason)

    def _send(
        self,
        event: EventType,
        change: VersionChange | None = None,
        *,
        service: str | None = None,
        weight: int | None = None,
        reason: str = "",
        decided_by: str = "",
    ) -> None:
        if not self.is_on:
            return
        if self._outboxes is None:
            self._outboxes = [_Outbox(receiver) for receiver in self._receivers()]
        now = datetime.now(UTC)
        thread = self._thread(event, change, service, now)
        sent = Event(
            id=thread.id,
            event=event,
            time=now,
            stack=self._stack.name,
            service=change.service if change else service,
            version=change.version if change else None,
            previous_version=change.previous if change else None,
            weight=weight,
            reason=format_reason(reason),
            user=decided_by or self._origin.user,
            commit=self._origin.commit,
            link=self._origin.link,
        )
        for outbox in self._outboxes:
            outbox.put(sent, thread)

    def _thread(
        self, event: EventType, change: VersionChange | None, service: str | None, now: datetime
    ) -> ReleaseThread:
        """The thread of the release, or of a single event."""
        parts = [change.service, change.version] if change else [service or "", event]
        id_ = "/".join([self._stack.name, *filter(None, parts), f"{now:%Y%m%dT%H%M%SZ}"])
        if change is None:
            return ReleaseThread(None, service or "", "", id_)
        last = self._threads.get(change.service)
        if last is None and event != "start" and self._store:
            last = self._store.last(change.service)
        if event == "start" or last is None or last.version != change.version:
            last = ReleaseThread(self._store, change.service, change.version, id_)
            last.save()
        self._threads[change.service] = last
        return last

    @cached_property
    def _origin(self) -> Origin:
        return Origin.of(self._environment, self._settings.notifications.dashboard_url)

    @cached_property
    def _store(self) -> ThreadStore | None:
        if not self._has_threads:
            return None
        namespace, context = self._settings.namespace.name, self._settings.cluster.context
        return ThreadStore(namespace, self._environment, context)

    def _receivers(self) -> Iterator[Receiver]:
        notifications = self._settings.notifications
        match notifications.slack:
            case SlackSettings(channel=str() as channel, api_url=api_url):
                if token := self._secret("slack.botToken"):
                    yield SlackChannel(api_url, token, channel)
            case SlackSettings():
                if url := self._secret_url("slack.webhook"):
                    yield SlackWebhook(url)
        if notifications.webhook and (url := self._secret_url("webhook")):
            yield Webhook(url)
        if self._has_grafana:
            yield GrafanaAnnotations(self._settings, self._environment)

    def _secret(self, key: str) -> str:
        """A decrypted value. Empty if it cannot be decrypted."""
        try:
            return self._stack.secret(f"notifications.{key}")
        except CommandError:
            self._failures.append(f"slipway:notifications.{key} cannot be decrypted")
            return ""

    def _secret_url(self, key: str) -> str:
        url = self._secret(key)
        if url and not SECRET_URL.matches(url):
            self._failures.append(f"slipway:notifications.{key}: use {SECRET_URL.allowed}")
            return ""
        return url


class _Outbox:
    """Events for one receiver, which a thread sends in their order."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._queue: SimpleQueue[tuple[Event, ReleaseThread] | None] = SimpleQueue()
        self._accepted = 0
        self._sent = 0
        self._error = ""
        # A daemon: the end of the command does not wait for a receiver that sends byte by byte.
        self._worker = Thread(target=self._run, daemon=True)
        self._worker.start()

    def put(self, event: Event, thread: ReleaseThread) -> None:
        self._accepted += 1
        self._queue.put((event, thread))

    def close(self) -> None:
        """Accept no more events."""
        self._queue.put(None)

    def wait(self, deadline: float) -> str:
        """Wait until all events are sent, or the deadline. Return a message about the others."""
        self._worker.join(max(0.0, deadline - time.monotonic()))
        self._receiver.close()
        lost = self._accepted - self._sent
        if not lost:
            return ""
        reason = self._error or f"no response within {CLOSE_SECONDS} s"
        return f"{self._receiver.name} did not get {lost} of the events: {reason}"

    def _run(self) -> None:
        while item := self._queue.get():
            try:
                self._receiver.send(*item)
                self._sent += 1
            except ReceiverError as error:
                self._error = str(error)
            except Exception as error:  # its text may have a secret
                self._error = type(error).__name__
