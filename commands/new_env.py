"""``python -m commands.new_env``: create the file of a new stack from that of another stack.

The file has the keys of the other stack, and those beside them, with their descriptions. Keys that
the other stack omits are commented out and have their defaults. If the other stack extends a third
one, so does the new one, and it has the keys of the other stack's own file only.
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from commands.errors import CommandError, report_errors
from commands.operators import OPERATORS
from commands.settings_docs import DEFAULTS, REQUIRED, SERVICES, Key, sections
from commands.stack_file import check_text
from local import files
from settings import PROJECT, Settings, load, stack_file
from settings.defaults import is_encrypted
from settings.schema import EXTENDS
from settings.stack_config import StackConfig
from settings.stack_file import path_of, read_config
from settings.yaml_writer import to_yaml_line

_NAME = r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"
_ALLOWED_NAMES = "at most 40 of a-z, 0-9 and -, beginning with a letter"
_API_SERVER = ("slipway:cluster.context", "slipway:cluster.server")
"""Keys with the API server of a stack."""
_CLUSTERS = (*_API_SERVER, "slipway:delivery.argocd.cluster")
"""Keys that identify a cluster. Several stacks may share one."""
_MACHINES = ("slipway:network.nodeCIDRs", "slipway:host.hosts", "slipway:host.balancer")
"""Keys with the addresses of machines. Several stacks may share one."""
_RENAMED = (*_CLUSTERS, "slipway:namespace.name", "slipway:delivery.path")
"""Keys of the stack with a name that differs between stacks."""
_RECORDS = "routing.dns.route53"
_OF_CLUSTER = ("region", "failover", "healthCheckId")
"""Keys of the DNS records with a value that differs between clusters."""
_MONITORING_NAMESPACES = {
    "slipway:network.monitoringNamespace": "monitoring",
    "slipway:observability.nodeNamespace": "monitoring-node",
}
"""Keys of the namespaces of the bundled observability, with their defaults."""
_LINE_LENGTH = 88
"""Of a description, without its indentation."""
_HOW_TO_SET = "Encrypted: set it with `pulumi config set --secret --path`."
_OMITTED: Any = object()
"""Value of a key that the stack file omits, as opposed to `null`."""


@dataclass
class NewStack:
    """Configuration of the new stack, and the differences to report."""

    sections: Mapping[str, Any]
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    """Keys with the same value as in the other stack, which may have to differ."""
    secrets: list[str] = field(default_factory=list)
    """Secrets that are omitted."""
    sops_files: list[str] = field(default_factory=list)
    """Files of sops that do not exist yet."""
    other_namespaces: list[str] = field(default_factory=list)
    """Keys of other namespaces, such as a provider's, that are omitted."""


def derive(
    name: str,
    source: str,
    source_sections: Mapping[str, Any],
    shared_hosts: Collection[str] = (),
) -> NewStack:
    """Return the configuration of ``name``: that of ``source`` with other names.

    ``shared_hosts`` are those that several clusters may have: a name of the source stack in them is
    replaced, and no other name is added. Secrets are encrypted for one stack, so they are omitted,
    and so are sections that require them.
    """
    new = NewStack({})
    extended = {key: one for key, one in source_sections.items() if key == EXTENDS}
    new.sections = extended | _without_secrets(source_sections, sections(), new.secrets)
    for path in (*_RENAMED, *_host_keys(new.sections.get("services", {}))):
        old_value = _get(new.sections, path)
        if old_value is None:
            continue
        value = _rename(path, old_value, name, source, shared_hosts)
        if value != old_value:
            _change(new, path, old_value, value)
        if kept := _kept(old_value, value):
            new.unchanged.append(f"{path}: {_text(kept)}")
    for path in _MACHINES:
        if value := _get(new.sections, path):
            new.unchanged.append(f"{path}: {to_yaml_line(value)}")
    _rename_records(new, name, source)
    if _get(new.sections, "slipway:observability.mode") == "bundled" and _is_same_cluster(
        new.sections, source_sections
    ):
        for path, default in _MONITORING_NAMESPACES.items():
            old_value = _get(new.sections, path) or default
            _change(new, path, old_value, _rename(path, old_value, name, source))
    return new


def _host_keys(services: Mapping[str, Any]) -> Iterator[str]:
    """Keys of the host names of the services' routes."""
    for name, service in services.items():
        routing = service.get("routing") or {}
        for route in (
            "",
            *(f".additionalPorts.{port}" for port in routing.get("additionalPorts", ())),
        ):
            yield f"slipway:services.{name}.routing{route}.hosts"
        yield f"slipway:services.{name}.release.blueGreen.previewHost"


def _is_same_cluster(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(_get(one, key) == _get(other, key) for key in _API_SERVER)


def _rename(
    path: str,
    value: Any,  # noqa: ANN401
    name: str,
    source: str,
    shared: Collection[str] = (),
) -> Any:  # noqa: ANN401
    """Replace the name of the source stack in a value, or else add the new name to it.

    Nothing is added to the name of a cluster, and to ``shared`` values.
    """
    if isinstance(value, list):
        return [_rename(path, item, name, source, shared) for item in value]
    renamed = _replace_name(value, name, source)
    if renamed != value or path in _CLUSTERS or value in shared:
        return renamed
    first, dot, rest = value.partition(".")
    return f"{first}-{name}{dot}{rest}"


def _replace_name(value: str, name: str, source: str) -> str:
    """Replace the name of the source stack, or else the part in which both names differ.

    From ``prod-east1`` to ``prod-north1``, that is ``east1``.
    """
    old, new = source.split("-"), name.split("-")
    pairs = zip(old[:-1], new[:-1], strict=False)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    for start in range(common + 1):
        part = re.escape("-".join(old[start:]))
        renamed = re.sub(rf"(?<![a-z0-9]){part}(?![a-z0-9])", "-".join(new[start:]), value)
        if renamed != value:
            return renamed
    return value


def _kept(old_value: str | list[str], value: str | list[str]) -> str | list[str]:
    """The value, or those of a list, that is not changed. Empty: all are changed."""
    if isinstance(old_value, list):
        return [one for one in old_value if one in value]
    return old_value if value == old_value else ""


def _rename_records(new: NewStack, name: str, source: str) -> None:
    """Give the DNS records of the new stack a set identifier of their own."""
    services = (f"services.{service}" for service in new.sections.get("services", {}))
    for block in ("defaults", *services):
        path = f"{PROJECT}:{block}.{_RECORDS}"
        if identifier := _get(new.sections, f"{path}.setIdentifier"):
            value = _replace_name(identifier, name, source)
            own = value if value != identifier else name
            _change(new, f"{path}.setIdentifier", identifier, own)
        for key in _OF_CLUSTER:
            if value := _get(new.sections, f"{path}.{key}"):
                new.unchanged.append(f"{path}.{key}: {value}")


def _get(values: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401
    value: Any = values
    for part in path.removeprefix(f"{PROJECT}:").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _text(value: str | bool | list[str]) -> str:
    match value:
        case str():
            return value
        case bool():
            return to_yaml_line(value)
    return ", ".join(value)


def _change(new: NewStack, path: str, old_value: Any, value: Any) -> None:  # noqa: ANN401
    *parents, last = path.removeprefix(f"{PROJECT}:").split(".")
    section: Any = new.sections
    for part in parents:
        section = section.setdefault(part, {})
    section[last] = value
    new.changed.append(f"{path}: {_text(old_value)} -> {_text(value)}")


def _share_operators(new: NewStack, source: Settings) -> None:
    """Use the operators of the source stack that serve the whole cluster."""
    for operator in OPERATORS:
        if operator.serves_cluster(source):
            section = new.sections.get(operator.section) or {}
            section.pop("scope", None)
            _change(new, f"{PROJECT}:{operator.section}.enabled", True, False)


def _rename_sops_files(new: NewStack, name: str, source: str) -> None:
    """Give the new stack files of its own: those of the source have its values and recipients."""
    blocks = {"defaults": new.sections.get("defaults") or {}}
    for service, section in new.sections.get("services", {}).items():
        blocks[f"services.{service}"] = section
        for version, released in (section.get("release") or {}).items():
            own = released.get("settings") if isinstance(released, dict) else None
            blocks[f"services.{service}.release.{version}.settings"] = own or {}
    for block, section in blocks.items():
        for secret, entry in (section.get("secrets") or {}).items():
            path = f"{PROJECT}:{block}.secrets.{secret}.sops.file"
            old_file = _get(entry, "sops.file")
            if old_file is None:
                continue
            file = _rename(path, old_file, name, source)
            _change(new, path, old_file, file)
            if file not in new.sops_files and not (stack_file.PROJECT_FOLDER / file).exists():
                new.sops_files.append(file)


def _without_secrets(
    values: Mapping[str, Any], keys: Sequence[Key], omitted: list[str], prefix: str = ""
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key in keys:
        name, path_of_key = key.name.removeprefix(f"{PROJECT}:"), f"{prefix}{key.name}"
        if name not in values:
            continue
        value = values[name]
        if key.is_secret or is_encrypted(value):
            omitted.append(path_of_key)
        elif key.has_names and isinstance(value, dict):
            kept[name] = _named_without_secrets(value, key, omitted, path_of_key)
        elif key.keys and isinstance(value, dict):
            section = _without_secrets(value, key.keys, omitted, f"{path_of_key}.")
            required = [one.name for one in key.keys if one.is_secret and one.default is REQUIRED]
            if not any(secret in value for secret in required):
                kept[name] = section
        elif isinstance(value, dict):
            kept[name] = {inner: one for inner, one in value.items() if not is_encrypted(one)}
            omitted += [f"{path_of_key}.{inner}" for inner in value if inner not in kept[name]]
        else:
            kept[name] = value
    return kept


def _named_without_secrets(
    values: Mapping[str, Any], key: Key, omitted: list[str], path: str
) -> dict[str, Any]:
    """The sections of a mapping of names, without those that have nothing but secrets."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        is_section = isinstance(value, dict)
        source = value.get("value") if is_section and key.name == "secrets" else None
        if is_encrypted(value) or is_encrypted(source):
            omitted.append(f"{path}.{name}")
            continue
        rest = (
            _without_secrets(value, key.keys, omitted, f"{path}.{name}.") if is_section else value
        )
        if rest or not value:
            kept[name] = rest
    return kept


def text_of(name: str, source: str, new: NewStack) -> str:
    """Return the content of the file."""
    extended = new.sections.get(EXTENDS)
    omitted = (
        f"Omitted keys have the value of {extended}."
        if extended
        else "Keys that are commented out have the default shown, or none."
    )
    lines = [
        "# yaml-language-server: $schema=settings/stack.schema.json",
        "#",
        *_comment(
            f"The {name} stack, created from {source}. {omitted} docs/configuration.md lists the "
            "allowed values."
        ),
        "config:",
        *([f"  {PROJECT}:{EXTENDS}: {extended}"] if extended else []),
    ]
    defaults = new.sections.get("defaults", {})
    for section in sections():
        value = new.sections.get(section.name.removeprefix(f"{PROJECT}:"), _OMITTED)
        is_shown = section.name != DEFAULTS and not extended
        shown = _Shown(defaults if section.name == SERVICES else {}, unset=is_shown)
        described = [*_described(section, value, shown)]
        lines += ["", *_indented(described)] if described else []
    return "".join(f"{line.rstrip()}\n" for line in lines)


@dataclass(frozen=True)
class _Shown:
    """Format of the keys that the stack file omits."""

    inherited: Any
    """Their values in ``slipway:defaults``."""
    unset: bool = True
    """False: they are not shown."""

    def of(self, name: str) -> "_Shown":
        """The same for the keys below ``name``."""
        values = self.inherited if isinstance(self.inherited, dict) else {}
        return replace(self, inherited=values.get(name, _OMITTED))


def _is_set(key: Key, value: Any) -> bool:  # noqa: ANN401
    return value is not _OMITTED and not (key.keys and value == {})


def _described(key: Key, value: Any, shown: _Shown) -> Iterator[str]:  # noqa: ANN401
    """Yield the lines of a key and of its description, without indentation."""
    is_set = _is_set(key, value)
    if not is_set and not shown.unset:
        return
    yield from _comment(f"{key.description} {_HOW_TO_SET * key.is_secret}")
    if not is_set:
        yield f"#{key.name}: {to_yaml_line(_default(key, shown.inherited))}"
    elif key.keys and value is not None:
        yield f"{key.name}:"
        lines = _named(key, value, shown) if key.has_names else _keys(key.keys, value, shown)
        yield from _indented(lines)
    else:
        yield f"{key.name}: {to_yaml_line(value)}"


def _default(key: Key, inherited: Any) -> Any:  # noqa: ANN401
    """Value of a key that is omitted. ``{}``: all keys of the section have their defaults."""
    if inherited is not _OMITTED:
        return inherited
    if key.default is REQUIRED or key.default is None:
        return None
    return {} if key.keys else key.default


def _keys(keys: Sequence[Key], values: Mapping[str, Any], shown: _Shown) -> Iterator[str]:
    """Yield the lines of a section's keys."""
    for key in _with_set_key_last(keys, values):
        yield from _described(key, values.get(key.name, _OMITTED), shown.of(key.name))


def _named(key: Key, sections: Mapping[str, Any], shown: _Shown) -> Iterator[str]:
    """Yield the lines of named sections: the first one with all keys, others with those set."""
    for name, section in sections.items():
        if not isinstance(section, dict):
            yield f"{name}: {to_yaml_line(section)}"
            continue
        # `slipway:defaults` is merged under each service.
        of_section = shown if key.name == SERVICES else shown.of(name)
        yield f"{name}:"
        yield from _indented(_keys(key.keys, section, of_section))
        shown = replace(shown, unset=False)


# When Pulumi writes a stack file, it moves comments to the column of the next key, and those at the
# end of a section to that of the last key before them. Therefore the last key of a section is a set
# one, and a section that is commented out is one line.


def _with_set_key_last(keys: Sequence[Key], values: Mapping[str, Any]) -> Sequence[Key]:
    """The keys, with the last one that is set moved to the end."""
    set_keys = [key for key in keys if _is_set(key, values.get(key.name, _OMITTED))]
    last = set_keys[-1] if set_keys else None
    return keys if last is None else [*(key for key in keys if key is not last), last]


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, _LINE_LENGTH):
        yield f"# {line}"


def _shared_hosts(settings: Settings) -> frozenset[str]:
    """Hosts whose DNS records several clusters share."""
    routes = (service.routing for service in settings.services.values())
    return frozenset(
        host for one in routes if one and one.dns and one.dns.route53 for host in one.hosts
    )


def create(name: str, source: str) -> NewStack:
    """Write the file of the new stack. Raises :class:`CommandError`; no file is written then."""
    if not re.fullmatch(_NAME, name):
        raise CommandError(f"NAME={name} is not a stack name: use {_ALLOWED_NAMES}")
    file = path_of(name)
    # `pulumi new` and `pulumi stack init` write a file without configuration.
    if file.exists() and read_config(file):
        raise CommandError(f"{file.name} exists already: it is unchanged")
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", source):
        raise CommandError(f"FROM={source} is not a stack name")
    source_file = path_of(source)
    settings, config = load(str(source_file)), StackConfig.read(source_file)
    source_sections = config.own
    new = derive(name, source, source_sections, _shared_hosts(settings))
    if _is_same_cluster(new.sections, source_sections):
        # Names that the source has from the file that it extends have to be others, too.
        source_sections = config.sections
        new = derive(name, source, source_sections)
    _rename_sops_files(new, name, source)
    if _is_same_cluster(new.sections, source_sections):
        _share_operators(new, settings)
    stores = new.sections.get("secretStores") or {}
    new.unchanged += [
        f"{PROJECT}:secretStores.{store}: {to_yaml_line(one)}" for store, one in stores.items()
    ]
    new.other_namespaces = [
        key for key in read_config(source_file) if not key.startswith(f"{PROJECT}:")
    ]
    text = text_of(name, source, new)
    check_text(file.name, text)
    files.write(file, text)
    return new


@report_errors
def main(arguments: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.new_env", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--source", required=True, help="the stack to copy")
    parsed = parser.parse_args(arguments)
    new = create(parsed.name, parsed.source)
    print(f"{path_of(parsed.name).name}, created from {parsed.source}:")
    for title, lines in (
        ("changed", new.changed),
        (f"the same as in {parsed.source}: check them", new.unchanged),
        ("omitted: secrets, which are encrypted for one stack", new.secrets),
        ("to create with sops, for the recipients of the new stack", new.sops_files),
        ("omitted: keys of other namespaces", new.other_namespaces),
    ):
        if lines:
            print(f"  {title}")
        for line in lines:
            print(f"    {line}")
    print(f"next: make diff STACK={parsed.name}, make preview STACK={parsed.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
