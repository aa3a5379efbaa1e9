"""Events of releases."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic.alias_generators import to_camel

from commands import ci_run
from commands.control_characters import escape_control_characters
from commands.diff.checkout import git
from commands.errors import CommandError
from settings.stack_file import PROJECT_FOLDER

EventType = Literal["start", "step", "promotion", "rollback", "drill", "failure"]
_MAX_REASON = 1000
"""Characters of a reason."""
_SHORT_COMMIT = 10


@dataclass(frozen=True)
class Origin:
    """User and commit of a command, and a link to its run."""

    user: str | None
    """Actor of the CI run, or the user of git."""
    commit: str | None
    """Commit that is checked out. None: not in a git repository."""
    link: str | None
    """URL of the CI run, or of the dashboards."""

    @classmethod
    def of(cls, environment: Mapping[str, str], dashboard_url: str | None) -> "Origin":
        """Origin of a command with these environment variables."""
        return cls(
            user=(ci_run.actor(environment) or _git("config", "user.name") or ci_run.login_name()),
            commit=_git("rev-parse", "HEAD"),
            link=_run_url(environment) or dashboard_url,
        )


def _run_url(environment: Mapping[str, str]) -> str | None:
    if run := environment.get("GITHUB_RUN_ID"):
        server, repository = environment["GITHUB_SERVER_URL"], environment["GITHUB_REPOSITORY"]
        return f"{server}/{repository}/actions/runs/{run}"
    return environment.get("CI_JOB_URL") or environment.get("BUILD_URL")


def _git(*arguments: str) -> str | None:
    try:
        done = git(PROJECT_FOLDER, *arguments)
    except CommandError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


@dataclass(frozen=True)
class Event:
    """One event. :meth:`to_json` is the body that a webhook gets."""

    id: str
    """The same for all events of one release."""
    event: EventType
    time: datetime
    stack: str
    service: str | None
    version: str | None
    """Version that is released, promoted or rolled back."""
    previous_version: str | None
    """Version that served before the release, and serves after a rollback."""
    weight: int | None
    """Percentage of requests routed to ``version``."""
    reason: str | None
    user: str | None
    commit: str | None
    link: str | None

    def to_json(self) -> dict[str, Any]:
        """Every field, in camel case. ``null``: unknown, or the event has none."""
        values = {to_camel(one.name): getattr(self, one.name) for one in fields(self)}
        return {**values, "time": format_time(self.time)}

    @property
    def subject(self) -> str:
        """Service and version, or the service, or the stack."""
        parts = [self.service, self.version] if self.service else [self.stack]
        return " ".join(part for part in parts if part)

    @property
    def summary(self) -> str:
        """The event of the subject, in one or more sentences."""
        share = "" if self.weight is None else f"{self.weight} % of the requests"
        previous = self.previous_version
        match self.event:
            case "start":
                text = f"release started{', ' if share else ''}{share}"
                text += f". {previous} serves until the promotion" if previous else ""
            case "step":
                text = share
            case "promotion":
                text = f"promoted{f'. It replaces {previous}' if previous else ''}"
            case "rollback":
                text = f"rolled back{f' to {previous}' if previous else ''}"
            case "drill":
                text = "drill ended"
            case "failure":
                text = "failed"
        return ". ".join(part for part in (text, self.reason) if part)

    @property
    def origin(self) -> str:
        """User and commit. Empty: both are unknown."""
        commit = f"commit {self.commit[:_SHORT_COMMIT]}" if self.commit else ""
        user = f"by {self.user}" if self.user else ""
        return ", ".join(part for part in (user, commit) if part)


def format_time(time: datetime) -> str:
    """Format a time as in RFC 3339, in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_reason(reason: str) -> str | None:
    """``reason`` without control characters, truncated. None if it is empty."""
    text = escape_control_characters(reason, keep="\t\n").strip()
    return f"{text[:_MAX_REASON]}…" if len(text) > _MAX_REASON else text or None
