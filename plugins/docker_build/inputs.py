"""The inputs of `docker-build:index:Image`: their shape, their defaults, and what makes them wrong.

All of it follows pulumi-docker-build: what is kept in the state is the inputs with every default
filled in, down to the attributes of a cache.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from plugins.values import UNKNOWN, Secret, Unknown, reveal

Properties = dict[str, Any]
Problems = list[tuple[str, str]]
"""Pairs of a property and what is wrong with it."""

REQUIRED: Final = object()

INPUTS: Final[Mapping[str, Any]] = {
    "addHosts": [],
    "buildArgs": {},
    "buildOnPreview": True,
    "builder": {},
    "cacheFrom": [],
    "cacheTo": [],
    "context": {},
    "dockerfile": {},
    "exec": False,
    "exports": [],
    "ignoreSecretsInDiffCalculation": [],
    "labels": {},
    "load": False,
    "network": "default",
    "noCache": False,
    "platforms": [],
    "pull": False,
    "push": False,
    "registries": [],
    "secrets": {},
    "ssh": [],
    "tags": [],
    "target": "",
}
"""Every input and its default. An empty list or object is not kept."""

_NESTED: Final[Mapping[str, Mapping[str, Any]]] = {
    "builder": {"name": ""},
    "context": {"location": "", "named": None},
    "dockerfile": {"inline": "", "location": ""},
    "registries": {"address": REQUIRED, "password": "", "username": ""},
    "ssh": {"id": REQUIRED, "paths": None},
}
"""The same for the fields of objects; `None` is not kept."""

COMPRESSION = {"compression": "gzip", "compressionLevel": 0, "forceCompression": False}
_NAMES = {"names": None, "annotations": None}
_IMAGE = {
    "ociMediaTypes": False,
    **COMPRESSION,
    **_NAMES,
    "pushByDigest": None,
    "insecure": None,
    "danglingNamePrefix": "",
    "nameCanonical": None,
    "unpack": None,
    "store": True,
}
_ARCHIVE = {**COMPRESSION, **_NAMES, "dest": "", "tar": True}
_CACHED = {"mode": "min", "ignoreError": False}

ENTRIES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "cacheFrom": {
        "local": {"src": REQUIRED, "digest": ""},
        "registry": {"ref": REQUIRED},
        "gha": {"scope": "buildkit"},
    },
    "cacheTo": {
        "inline": {},
        "local": {"dest": REQUIRED, **_CACHED, **COMPRESSION},
        "registry": {
            "ref": REQUIRED,
            **_CACHED,
            "ociMediaTypes": True,
            "imageManifest": False,
            **COMPRESSION,
        },
        "gha": {"scope": "buildkit", **_CACHED},
    },
    "exports": {
        "registry": {"push": True, **_IMAGE},
        "image": {"push": None, **_IMAGE},
        "docker": {"ociMediaTypes": False, **_ARCHIVE},
        "oci": {"ociMediaTypes": True, **_ARCHIVE},
        "local": {"dest": REQUIRED},
        "tar": {"dest": REQUIRED},
        "cacheonly": {},
    },
}
"""For each list of entries its kinds, and for each kind its attributes and their defaults."""

# [domain/]path[:tag][@digest]; only a name with a domain is one that can be pushed.
_REFERENCE = re.compile(
    r"(?P<name>(?:(?P<domain>[\w-]+(?:\.[\w-]+)+(?::\d+)?|[\w-]+:\d+|localhost)/)?"
    r"[a-z0-9]+(?:(?:[._/]|__|-+)[a-z0-9]+)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)

_NETWORKS = ("default", "host", "none")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?")
_REMOTE = re.compile(r"(https?|git|ssh)://|git@|github\.com/")


def shape_problems(given: Properties) -> Problems:
    """Unknown names, wrong types and missing fields; without these `complete` can read the rest."""
    problems = _unknown_names("", given, INPUTS)
    if "push" not in given:
        problems.append(("push", "push is required"))
    for key, default in INPUTS.items():
        value = reveal(given.get(key))
        if value is None or isinstance(value, Unknown):
            continue
        if type(value) is not type(default):
            problems.append((key, f"{key} must be {_type_name(default)}, got {_type_name(value)}"))
        elif key in _NESTED:
            items = {key: value} if isinstance(value, dict) else _indexed(key, value)
            for path, item in items.items():
                problems += _field_problems(path, item, _NESTED[key])
        elif key in ENTRIES:
            for path, entry in _indexed(key, value).items():
                problems += _entry_problems(path, entry, ENTRIES[key])
        elif isinstance(value, list | dict):
            texts = value.items() if isinstance(value, dict) else enumerate(value)
            problems += [
                (key, f"{key}[{name}] must be a text, got {_type_name(text)}")
                for name, text in texts
                if not isinstance(text, str | Unknown)
            ]
    return problems


def value_problems(inputs: Properties) -> Problems:
    """What is wrong with complete inputs. A value that is not known yet is not judged."""
    problems: Problems = []
    location = inputs["context"]["location"]
    if isinstance(location, str) and not (_is_remote(location) or Path(location).is_dir()):
        # What is said of the files in it would follow from this.
        return [("context.location", f'"{location}" is not a directory or a URL')]
    file, inline = inputs["dockerfile"]["location"], inputs["dockerfile"]["inline"]
    if file and inline:
        problems.append(("dockerfile", "give dockerfile.location or dockerfile.inline, not both"))
    elif isinstance(file, str) and file and not (_is_remote(file) or Path(file).is_file()):
        problems.append(("dockerfile.location", f'"{file}" is not a file'))
    if isinstance(inputs["network"], str) and inputs["network"] not in _NETWORKS:
        allowed = ", ".join(_NETWORKS)
        problems.append(("network", f'network is "{inputs["network"]}", not one of {allowed}'))
    for path, platform in _indexed("platforms", inputs.get("platforms", [])).items():
        if isinstance(platform, str) and not _PLATFORM.fullmatch(platform):
            problems.append((path, f'"{platform}" is not a platform such as linux/amd64'))
    for path, tag in _indexed("tags", inputs.get("tags", [])).items():
        if isinstance(tag, str) and not _REFERENCE.fullmatch(tag):
            problems.append((path, f'"{tag}" is not an image name such as localhost:5000/app:1.0'))
    if inputs["push"] is True and not inputs.get("tags"):
        problems.append(("tags", "at least one tag is needed to push"))
    return problems


def complete(given: Mapping[str, Any]) -> Properties:
    """The inputs as they are kept, with every default."""
    inputs: Properties = {}
    for key, default in INPUTS.items():
        value = given.get(key)
        if value in (None, [], {}):
            value = default
        if key in ("context", "dockerfile"):
            value = {"location": UNKNOWN} if isinstance(value, Unknown) else value
        elif value in ([], {}):
            continue
        if isinstance(value, dict) and key in _NESTED:
            value = _filled(value, _NESTED[key])
        elif isinstance(value, list) and key in _NESTED:
            value = [_filled(item, _NESTED[key]) for item in value]
        elif isinstance(value, list) and key in ENTRIES:
            value = [_complete_entry(entry, ENTRIES[key]) for entry in value]
        inputs[key] = value
    _add_default_files(inputs)
    return inputs


def with_secrets(inputs: Properties) -> Properties:
    """The inputs with what pulumi-docker-build declares secret marked so."""
    marked = dict(inputs)
    if inputs.get("secrets"):
        marked["secrets"] = Secret(inputs["secrets"])
    if isinstance(inputs.get("registries"), list):
        marked["registries"] = [
            item | {"password": Secret(item["password"])} if isinstance(item, dict) else item
            for item in inputs["registries"]
        ]
    return marked


def changes(olds: Properties, news: Properties) -> list[str]:
    """What differs between two complete sets of inputs. Not a password: those are short-lived."""
    olds, news = _comparable(olds, news), _comparable(news, olds)
    changed = [key for key in INPUTS if key != "context" and olds.get(key) != news.get(key)]
    return changed + [
        f"context.{field}"
        for field in ("location", "named")
        if olds["context"].get(field) != news["context"].get(field)
    ]


def with_digest(tag: str, digest: str) -> str:
    """`registry/name:tag@digest`, or "" for a tag without a registry, which is never pushed."""
    found = _REFERENCE.fullmatch(tag)
    if not digest or not found or not found["domain"]:
        return ""
    return f"{found['name']}:{found['tag'] or 'latest'}@{digest}"


def _comparable(inputs: Properties, other: Properties) -> Properties:
    compared = {key: value for key, value in inputs.items() if key in INPUTS}
    # These two say how to build and to compare, not what.
    compared |= {"exec": None, "ignoreSecretsInDiffCalculation": None}
    secrets, others = inputs.get("secrets"), other.get("secrets")
    if isinstance(secrets, dict) and isinstance(others, dict):
        ignored = {
            name
            for either in (inputs, other)
            for name in either.get("ignoreSecretsInDiffCalculation", [])
        }
        dropped = ignored & secrets.keys() & others.keys()
        compared["secrets"] = {key: secrets[key] for key in secrets if key not in dropped}
    if isinstance(registries := inputs.get("registries"), list):
        compared["registries"] = [
            {key: registry[key] for key in registry if key != "password"}
            if isinstance(registry, dict)
            else registry
            for registry in registries
        ]
    return compared


def _add_default_files(inputs: Properties) -> None:
    context, dockerfile = inputs["context"], inputs["dockerfile"]
    location = context["location"] = context["location"] or "."
    if dockerfile["location"] or dockerfile["inline"]:
        return
    if isinstance(location, Unknown):
        dockerfile["location"] = UNKNOWN
    elif not _is_remote(location):
        dockerfile["location"] = os.path.normpath(f"{location}/Dockerfile")


def _filled(value: Any, fields: Mapping[str, Any]) -> Any:
    if isinstance(value, Unknown):
        return value
    defaults = {key: item for key, item in fields.items() if item not in (None, REQUIRED)}
    return defaults | {key: item for key, item in value.items() if item is not None}


def _complete_entry(entry: Any, kinds: Mapping[str, Mapping[str, Any]]) -> Any:
    if isinstance(entry, Unknown):
        return entry
    filled = {"disabled": False, "raw": ""} | entry
    return {
        key: _filled(value, kinds[key]) if key in kinds else value
        for key, value in filled.items()
        if value is not None
    }


def _entry_problems(path: str, entry: Any, kinds: Mapping[str, Mapping[str, Any]]) -> Problems:
    if isinstance(entry, Unknown):
        return []
    if not isinstance(entry, dict):
        return [(path, f"{path} must be an object, got {_type_name(entry)}")]
    problems = _unknown_names(f"{path}.", entry, [*kinds, "raw", "disabled"])
    chosen = [key for key in (*kinds, "raw") if entry.get(key) not in (None, "")]
    if not problems and len(chosen) != 1:
        allowed = ", ".join([*kinds, "raw"])
        problems.append((path, f"{path} must have one of {allowed}; it has {len(chosen)}"))
    for key in set(chosen) & kinds.keys():
        problems += _field_problems(f"{path}.{key}", entry[key], kinds[key])
    return problems


def _field_problems(path: str, value: Any, fields: Mapping[str, Any]) -> Problems:
    if isinstance(value, Unknown):
        return []
    if not isinstance(value, dict):
        return [(path, f"{path} must be an object, got {_type_name(value)}")]
    return _unknown_names(f"{path}.", value, fields) + [
        (f"{path}.{name}", f"{path}.{name} is required")
        for name, default in fields.items()
        if default is REQUIRED and value.get(name) in (None, "")
    ]


def _unknown_names(prefix: str, given: Mapping[str, Any], known: Any) -> Problems:
    return [
        (prefix + key, f"{prefix}{key} is not an input; those are {', '.join(known)}")
        for key in given
        if key not in known and not key.startswith("__")
    ]


def _indexed(key: str, items: Any) -> dict[str, Any]:
    if not isinstance(items, list):
        return {}
    return {f"{key}[{index}]": item for index, item in enumerate(items)}


def _type_name(sample: Any) -> str:
    # Said instead of a wrong value, which may be a secret.
    names = {bool: "true or false", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(sample), "nothing" if sample is None else "a number")


def _is_remote(location: str) -> bool:
    return _REMOTE.match(location) is not None
