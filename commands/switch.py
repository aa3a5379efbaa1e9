"""A variable that is on or off, as make has it."""

from commands.errors import CommandError


def is_on(name: str, value: str) -> bool:
    """Whether ``NAME=1`` was said; left out or empty is off.

    Raises :class:`CommandError` for anything else: ``FORCE=no`` must not force.
    """
    if value not in ("", "1"):
        raise CommandError(f"{name}={value}: use 1, or leave it out")
    return value == "1"
