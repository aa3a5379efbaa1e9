"""Run of a CI that executes a command, by its environment variables."""

from collections.abc import Mapping
from getpass import getuser


def is_ci(environment: Mapping[str, str]) -> bool:
    """True in a run of a CI."""
    return environment.get("CI", "").lower() not in ("", "0", "false", "no", "off")


def actor(environment: Mapping[str, str]) -> str | None:
    """User who started the run. ``None``: not in a CI that is known."""
    return environment.get("GITHUB_ACTOR") or environment.get("GITLAB_USER_LOGIN") or None


def login_name() -> str | None:
    """User of the operating system. ``None``: it has no name."""
    try:
        return getuser()
    except (KeyError, OSError):
        return None
