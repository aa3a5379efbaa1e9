"""The option ``--service`` of commands: the make variable ``SERVICE``."""

from collections.abc import Sequence

from commands.errors import CommandError
from settings import Service, Settings


def selected_services(settings: Settings, name: str) -> Sequence[Service]:
    """Return the service ``name``, or all services of the stack if ``name`` is empty."""
    return [_named(settings, name)] if name else list(settings.services.values())


def selected_service(settings: Settings, name: str) -> Service:
    """Return the service ``name``, or the only service of the stack if ``name`` is empty.

    Raises :class:`CommandError` if the stack has several services and none is named.
    """
    if name:
        return _named(settings, name)
    first, *others = settings.services.values()
    if others:
        raise CommandError(f"the stack has several services: use SERVICE={_names(settings)}")
    return first


def _named(settings: Settings, name: str) -> Service:
    if name not in settings.services:
        raise CommandError(f"SERVICE={name} is not a service of the stack: use {_names(settings)}")
    return settings.services[name]


def _names(settings: Settings) -> str:
    *others, last = settings.services
    return f"{', '.join(others)} or {last}" if others else last
