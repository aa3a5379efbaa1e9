"""Loading of a stack's configuration, from its file or from the Pulumi engine."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from pydantic import ValidationError

from settings.config_schema import InvalidSchemaError
from settings.defaults import merge
from settings.errors import FieldError, InvalidKey, SettingsError, invalid_keys
from settings.go_source import SourceError, check_source
from settings.kubeconfig import check_server
from settings.release import TRACK_KEYS, Track
from settings.schema import EXTENDS, PROJECT, accepts_null, child_node, model_schema, node_at
from settings.secret import DECRYPTED
from settings.service import Service
from settings.sops_secrets import decrypt, placeholders, set_values, sops_errors
from settings.source import DEFAULT_SCHEMA, version_file, working_tree_version
from settings.stack import Settings
from settings.stack_config import StackConfig, merged
from settings.stack_file import path_of
from settings.string_formats import VERSION
from settings.yaml_reader import Location

_DEFAULTS_SERVICE = "defaults"
"""Name of the service that has only the defaults."""
_REQUIRED_KEYS = {
    "source": ".",
    "release": {"stable": {"version": "0.0.0"}},
    "routing": {"hosts": ["localhost"]},
}
"""Keys that a service requires: with them, ``slipway:defaults`` can be validated alone."""


def load(stack: str, *, check_sources: bool = False) -> Settings:
    """Load ``Pulumi.<stack>.yaml``; ``stack`` may also be the path of a stack file.

    It is merged over the stack file that it extends.

    With ``check_sources``, these are errors too: a version without a digest that the source of its
    service does not build, a ``config`` that the JSON Schema in the source does not allow, and a
    file or key of sops that does not exist. Secrets are not decrypted. Raises
    :class:`SettingsError`.
    """
    config = StackConfig.read(path_of(stack))
    with config.origins_in_errors():
        return validate(config.path.name, config.sections, check_sources=check_sources)


def from_pulumi() -> Settings:
    """Load the configuration of the running Pulumi program, and check the sources of its services.

    Raises :class:`pulumi.RunError` with the message of :class:`SettingsError`, which the engine
    shows without a traceback.
    """
    import pulumi  # noqa: PLC0415  # slow to import, and commands do not need it
    from pulumi.runtime.config import CONFIG, is_config_secret  # noqa: PLC0415
    from pulumi.runtime.mocks import MockMonitor  # noqa: PLC0415
    from pulumi.runtime.settings import get_monitor  # noqa: PLC0415

    prefix = f"{PROJECT}:"
    values = {key: text for key, text in CONFIG.get().items() if key.startswith(prefix)}
    decrypted = any(is_config_secret(key) for key in values)
    sections = {key.removeprefix(prefix): _parse_json(text) for key, text in values.items()}
    stack_file = path_of(pulumi.get_stack())
    try:
        config = StackConfig.read(stack_file) if stack_file.is_file() else StackConfig(stack_file)
        with config.origins_in_errors():
            settings = _validate_engine_config(config, sections, is_decrypted=decrypted)
            is_rendered = isinstance(get_monitor(), MockMonitor)
            if not is_rendered:
                check_owner(settings, stack_file.name)
                check_server(settings.cluster, stack_file.name, os.environ)
            # Rendered manifests have no values, so they need no key.
            secrets = placeholders(settings) if is_rendered else decrypt(settings, stack_file.name)
        set_values(secrets)
        return settings
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None


def _validate_engine_config(
    config: StackConfig, sections: Mapping[str, Any], *, is_decrypted: bool
) -> Settings:
    """Validate the sections that the engine passes, which are those of a stack file alone.

    A configuration without ``extends`` is complete: an update by a command has such a one.
    """
    is_complete = EXTENDS not in sections
    in_file = config.sections if is_complete else config.own
    # The engine passes JSON in a string or a secret as a mapping.
    sections = {**sections} | {
        name: section
        for name, section in in_file.items()
        if not isinstance(section, dict) or "secure" in section
    }
    sections = sections if is_complete else merged(sections, config.path)
    # Messages quote values: first without those that the stack file encrypts.
    context, name = DECRYPTED if is_decrypted else None, config.path.name
    encrypted = _encrypted(sections, config.sections)
    settings = validate(name, encrypted, context, check_sources=True)
    return validate(name, sections, context) if is_decrypted else settings


def check_owner(settings: Settings, stack_file: str) -> None:
    """Raise :class:`SettingsError` if another program than Pulumi owns the objects of the stack."""
    delivery = settings.delivery
    if delivery.is_gitops:
        allowed = (
            f'"pulumi" to deploy with Pulumi: {delivery.engine_name} owns the stack, and syncs '
            f"{delivery.path} of {delivery.repository}. `make publish` and `make gitops` write its "
            "manifests; docs/gitops.md tells how to change the owner"
        )
        error = FieldError(f"{PROJECT}:delivery.mode", delivery.mode, allowed)
        raise SettingsError(stack_file, [str(error)])


def _parse_json(text: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _encrypted(value: Any, in_file: Any) -> Any:  # noqa: ANN401
    """``value`` with the encrypted values of the stack file, at the same places, as in the file."""
    match value, in_file:
        case _, {"secure": str(), **rest} if not rest:
            return in_file
        case dict(), dict():
            return {key: _encrypted(inner, in_file.get(key)) for key, inner in value.items()}
        case list(), list():
            items = zip_longest(value, in_file[: len(value)])
            return [_encrypted(item, item_in_file) for item, item_in_file in items]
    return value


def validate(
    source: str,
    sections: Mapping[str, Any],
    context: object = None,
    *,
    check_sources: bool = False,
) -> Settings:
    """Merge ``slipway:defaults`` into the services of ``sections`` and validate the result.

    ``source`` is the name of the stack file, for messages. ``context`` is :data:`DECRYPTED` if
    secrets are plain text. Raises :class:`SettingsError`.
    """
    defaults, services = sections.get("defaults"), sections.get("services")
    merged: dict[str, Any] = {**sections}
    if isinstance(defaults, dict) and isinstance(services, dict):
        merged["services"] = {name: _merge(defaults, one) for name, one in services.items()}
    settings, errors = _parse(merged, context)
    if defaults:
        errors = _with_errors_of_defaults(errors, sections, context)
    if settings is None or errors:
        raise SettingsError(source, [f"{PROJECT}:{error}" for error in errors])
    _set_track_settings(settings, source, merged, context)
    if check_sources:
        services = settings.services.values()
        of_sources = [error for one in services for error in _source_errors(one)]
        of_sources += sops_errors(settings)
        if of_sources:
            raise SettingsError(source, of_sources)
    return settings


def _set_track_settings(
    settings: Settings, source: str, sections: Mapping[str, Any], context: object
) -> None:
    """Validate the settings of each version in its service; ``sections`` have the defaults."""
    tracks: dict[str, Track] = {"stable": "stable", "idle": "canary"}
    for key, track in tracks.items():
        services = {
            name: _with_settings(sections["services"][name], own)
            for name, service in settings.services.items()
            if (own := getattr(getattr(service.release, key), "settings", None)) is not None
        }
        if not services:
            continue
        both = {**sections, "services": {**sections["services"], **services}}
        found, errors = _parse(both, context)
        if found is None or errors:
            start = re.compile(rf"^services\.({'|'.join(services)})\.")
            place = rf"services.\1.release.{key}.settings."
            keys = [start.sub(place, str(error)) for error in errors]
            raise SettingsError(source, [f"{PROJECT}:{one}" for one in keys])
        for name in services:
            settings.services[name].set_track(track, found.services[name])


def _with_settings(service: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The service with the settings of a version instead of its own, and with stable only."""
    release = {
        key: value for key, value in service["release"].items() if key not in ("canary", "idle")
    }
    release["stable"] = {
        key: value for key, value in release["stable"].items() if key != "settings"
    }
    shared = {key: value for key, value in service.items() if key not in TRACK_KEYS}
    return {**shared, **settings, "release": release}


def merged_service(sections: Mapping[str, Any], service: str) -> dict[str, Any]:
    """A service merged with the defaults, from the sections of a stack file.

    Nothing is validated. Empty if there is no such service.
    """
    own = (sections.get("services") or {}).get(service)
    return _merge(sections.get("defaults") or {}, own) if own else {}


def stable_settings(sections: Mapping[str, Any], service: str) -> dict[str, Any]:
    """Settings of a service's stable version, from the sections of a stack file.

    Those of ``release.stable.settings``, or else of the service with the defaults. Nothing is
    validated.
    """
    merged = merged_service(sections, service)
    settings = merged.get("release", {}).get("stable", {}).get("settings")
    if settings is not None:
        return settings
    return {key: merged[key] for key in TRACK_KEYS if key in merged}


def _merge(defaults: object, service: object) -> Any:  # noqa: ANN401
    return merge(defaults, service, _accepts_null)


def _accepts_null(key: Location) -> bool:
    """True if a key of a service may be ``null``, by its location in the service."""
    *parent, name = ("defaults", *key)
    schema = model_schema(Settings)
    return accepts_null(child_node(schema, node_at(schema, parent), name))


def _parse(
    sections: Mapping[str, Any], context: object
) -> tuple[Settings | None, Sequence[InvalidKey]]:
    try:
        return Settings.model_validate(sections, context=context, by_name=False, by_alias=True), ()
    except ValidationError as error:
        return None, list(invalid_keys(error, model_schema(Settings)))


def _with_errors_of_defaults(
    errors: Sequence[InvalidKey], sections: Mapping[str, Any], context: object
) -> Sequence[InvalidKey]:
    """The errors, with those that ``slipway:defaults`` causes reported once, with its keys.

    The defaults are validated as a service of the stack. An error of that service and of another
    one is an error of the defaults. A value that is invalid only together with another value may be
    valid in every service.
    """
    defaults = {_DEFAULTS_SERVICE: _merge(_REQUIRED_KEYS, sections["defaults"])}
    _, found = _parse({**sections, "services": defaults}, context)
    prefix = f"services.{_DEFAULTS_SERVICE}."
    of_defaults = {
        (error.key.removeprefix(prefix), error.reason): error
        for error in found
        if error.key.startswith(prefix) and error.kind != "missing"
    }
    reported: dict[tuple[str, str], InvalidKey] = {
        key: error for key, error in of_defaults.items() if error.kind == "value"
    }
    remaining: list[InvalidKey] = []
    for error in errors:
        section, _, path = error.key.partition(".")
        key = (path.partition(".")[2], error.reason)
        if section == "services" and key in of_defaults:
            reported[key] = of_defaults[key]
        else:
            remaining.append(error)
    return [
        *(replace(one, key=f"defaults.{key}") for (key, _), one in reported.items()),
        *remaining,
    ]


def _source_errors(service: Service) -> Iterator[str]:
    yield from map(str, _version_errors(service))
    yield from _config_errors(service)


def _config_errors(service: Service) -> Iterator[str]:
    """Values that the JSON Schema in the source of ``service`` does not allow."""
    key = f"{PROJECT}:services.{service.name}"
    if not service.config:
        return
    try:
        if schema := service.config_schema:
            yield from (f"{key}.{error}" for error in schema.errors(service.config))
    except InvalidSchemaError as error:
        schema_file = service.config_file.schema_file or DEFAULT_SCHEMA
        allowed = f"a JSON Schema in {service.source} ({error})"
        yield str(FieldError(f"{key}.configFile.schema", schema_file, allowed))


def _version_errors(service: Service) -> Iterator[FieldError]:
    """Versions that are neither published nor what the working tree of ``service`` builds."""
    key, source = f"{PROJECT}:services.{service.name}", service.source
    if source is None or not service.release.built:
        return
    try:
        check_source(source, service.image.build, service.name)
    except SourceError as error:
        yield replace(error.error, key=f"{key}.{error.error.key}")
        return
    version = working_tree_version(source)
    if version is None:
        return
    name = f"{source}/{version_file(source).name}"
    if not VERSION.matches(version):
        yield FieldError(name, version, VERSION.allowed.removesuffix(", in quotes"))
        return
    for own, released in service.release.versions.items():
        if released.digest is None and released.version != version:
            allowed = f"{version} as in {name}, or add the digest of the published image"
            yield FieldError(f"{key}.release.{own}.version", released.version, allowed)
