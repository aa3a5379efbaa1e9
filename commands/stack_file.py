"""Editing of stack files. Comments, order and quotes are preserved."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import CommentMark
from ruamel.yaml.scalarstring import ScalarString
from ruamel.yaml.tokens import CommentToken

from local import files
from settings import PROJECT, TRACK_KEYS, load
from settings.defaults import is_mapping
from settings.errors import dotted
from settings.stack_config import StackConfig, is_version
from settings.stack_file import is_our_key, path_of, read_config
from settings.yaml_reader import Location, YamlError, YamlReader
from settings.yaml_writer import to_yaml

_MISSING = object()


def remove_encryption_salt(stack: str) -> None:
    """Remove the salt that Pulumi writes into a stack file, unless the file has a secret.

    The state has the salt too. In the file it would bind the stack to one person's passphrase.
    """
    path = path_of(stack)
    if not path.is_file():
        return
    text = path.read_text()
    unsalted = re.sub(r"(?m)^encryptionsalt:.*(?:\n[ \t]+.*)*\n?", "", text)
    if unsalted != text and not _may_have_secret(text):
        files.write(path, unsalted)


def _may_have_secret(text: str) -> bool:
    reader = YamlReader(is_checked=lambda _: False)
    try:
        return _has_secret(reader.read(text)) or bool(reader.errors)
    except YamlError:
        return True


def _has_secret(node: object) -> bool:
    if isinstance(node, dict):
        return "secure" in node or any(_has_secret(value) for value in node.values())
    return isinstance(node, list) and any(_has_secret(value) for value in node)


@contextmanager
def complete_file(stack: str) -> Iterator[Path]:
    """Yield the path of a stack file that extends no other one.

    That is the stack's own file, or a temporary one with the sections of both.
    """
    config = StackConfig.read(path_of(stack))
    if config.base is None:
        yield config.path
        return
    with TemporaryDirectory(prefix="slipway-") as folder:
        path = Path(folder) / config.path.name
        path.write_text(text_with(config.path, config.sections))
        yield path


def text_with(path: Path, sections: Mapping[str, Any]) -> str:
    """Text of a stack file with other sections, and with everything else of that at ``path``."""
    others = {key: one for key, one in read_config(path).items() if not is_our_key(key)}
    config = {**others, **{f"{PROJECT}:{name}": section for name, section in sections.items()}}
    # The keys beside `config` are those of the encryption.
    document = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    return to_yaml({**document, "config": config}, sort_keys=False)


class StackFile:
    """A stack file. ``save`` writes it atomically, and no file that it extends."""

    def __init__(self, stack: str) -> None:
        self.path = path_of(stack)
        self.config = StackConfig.read(self.path)
        self._yaml = YAML()
        self._yaml.preserve_quotes = True
        self._yaml.width = 4096
        self._yaml.indent(mapping=2, sequence=4, offset=2)
        self._document: Any = self._yaml.load(self.path.read_text())

    @property
    def services(self) -> CommentedMap:
        """The value of ``slipway:services``. Empty if the file has no service."""
        config = self._document.get("config") or CommentedMap()
        return config.get("slipway:services") or CommentedMap()

    @property
    def text(self) -> str:
        """Content of the file with the changes."""
        text = StringIO()
        self._yaml.dump(self._document, text)
        return text.getvalue()

    def add_service(self, name: str, entry: str) -> None:
        """Add a service. ``entry`` is its text in the file, with the indentation and comments."""
        added = self._yaml.load(f"config:\n  slipway:services:\n{entry}")
        config = self._document.setdefault("config", CommentedMap())
        if not self.services:
            config["slipway:services"] = CommentedMap()
        _add(config["slipway:services"], name, added["config"]["slipway:services"][name])

    def remove_service(self, name: str) -> None:
        """Remove a service."""
        if len(self.services) > 1:
            _remove(self.services, name)
        else:
            _remove(self._document["config"], "slipway:services")

    @property
    def namespace(self) -> str:
        """The value of ``slipway:namespace.name``."""
        return self._document["config"]["slipway:namespace"]["name"]

    @namespace.setter
    def namespace(self, name: str) -> None:
        self._document["config"]["slipway:namespace"]["name"] = name

    def check(self, *, check_sources: bool = False) -> None:
        """Raise :class:`SettingsError` if the file would be invalid."""
        check_text(self.path.name, self.text, check_sources=check_sources)

    def save(self) -> None:
        """Write the file."""
        files.write(self.path, self.text)


def check_text(name: str, text: str, *, check_sources: bool = False) -> None:
    """Raise :class:`SettingsError` if a stack file with this name and text would be invalid."""
    with TemporaryDirectory(prefix="slipway-") as folder:
        draft = Path(folder) / name
        draft.write_text(text)
        load(str(draft), check_sources=check_sources)


class ReleaseFile(StackFile):
    """A service in a stack file, and its key ``release``.

    If the file extends another one, the service has the values of both, and the file gets those
    that differ from the other's.
    """

    def __init__(self, stack: str, service: str) -> None:
        super().__init__(stack)
        self._name = service
        self._service: CommentedMap = (
            _commented(_without_null_versions(self.config.sections["services"][service]))
            if self.config.base
            else self.services[service]
        )

    @property
    def text(self) -> str:
        """Content of the file with the changes."""
        if base := self.config.base:
            config = self._document["config"]
            services = config.get("slipway:services", CommentedMap())
            inherited = base.sections.get("services", {}).get(self._name, _MISSING)
            _Restoration([]).restore(services, self._name, (), inherited, self._service)
            if services and "slipway:services" not in config:
                _add(config, "slipway:services", services)
        return super().text

    @property
    def release(self) -> CommentedMap:
        """The value of ``release``. Empty if the service has no key ``release``."""
        return self._service.get("release", CommentedMap())

    def set_release(self, release: CommentedMap) -> Self:
        """Set ``release``."""
        if "release" in self._service:
            self._service["release"] = release
        else:
            _add(self._service, "release", release)
        return self

    @property
    def stable_settings(self) -> Mapping[str, Any] | None:
        """Settings of stable. ``None``: those of the service."""
        return self._own_settings("stable")

    @property
    def has_own_settings(self) -> bool:
        """True if a version has other settings than the service."""
        return any(self._own_settings(key) is not None for key in ("stable", "idle"))

    def _own_settings(self, key: str) -> Any:  # noqa: ANN401
        return self.release.get(key, {}).get("settings")

    def pin_stable(
        self,
        version: str,
        digest: str | None,
        *,
        before_start: bool = True,
        analysis: bool = True,
        settings: Mapping[str, Any] | None = None,
    ) -> Self:
        """Set the stable version. Without a digest it is built from the working tree.

        Without ``before_start``, the Job `release.beforeStart` does not run for the version.
        Without ``analysis``, a progressive release has no steps. Without ``settings``, stable has
        those of the service.
        """
        pinned = {} if digest is None else {"digest": digest}
        skipped = {} if analysis else {"analysis": False}
        kept = {} if settings is None else {"settings": settings}
        values = {"version": version, **pinned, **_before_start_key(before_start)}
        return self._update("stable", {**values, **skipped, **kept})

    def pin(self, key: str, digest: str) -> Self:
        """Set the digest of the version at a key of the release, such as ``stable``."""
        _assign(self.release[key], "digest", digest)
        return self

    def set_analysis(self, analysis: bool) -> Self:
        """Set whether a progressive release of stable has steps and gates."""
        stable = self.release["stable"]
        if analysis and "analysis" in stable:
            _remove(stable, "analysis")
        elif not analysis:
            _assign(stable, "analysis", False)
        return self

    def set_paused(self, paused: bool) -> Self:
        """Set whether Flagger leaves a progressive release as it is."""
        if paused:
            if not self.release.get("progressive"):
                _assign(self.release, "progressive", CommentedMap())
            _assign(self.release["progressive"], "paused", True)
        elif "paused" in (self.release.get("progressive") or {}):
            _remove(self.release["progressive"], "paused")
            if not self.release["progressive"]:
                _remove(self.release, "progressive")
        return self

    def restore_settings(self, settings: Mapping[str, Any]) -> Sequence[str]:
        """Change the service so that it has these settings of a track; return the changed keys.

        What a key has already, be it from ``slipway:defaults``, is not written.
        """
        defaults = self.config.sections.get("defaults") or {}
        restoration = _Restoration([])
        for key in TRACK_KEYS:
            values = (defaults.get(key, _MISSING), settings.get(key, _MISSING))
            restoration.restore(self._service, key, (key,), *values)
        return restoration.changed

    def set_value(self, path: str, text: str) -> str:
        """Set a key of the service, and of the settings of each version that has its own.

        ``text`` is YAML. Return the previous value as text.
        """
        keys = path.split(".")
        blocks: list[Any] = [self._service]
        if keys[0] in TRACK_KEYS:
            own = (self._own_settings(key) for key in ("stable", "idle"))
            blocks += [settings for settings in own if settings is not None]
        previous = _value_at(self._service, keys)
        for block in blocks:
            inner = block
            for key in keys[:-1]:
                if not isinstance(inner.get(key), CommentedMap):
                    _assign(inner, key, CommentedMap())
                inner = inner[key]
            _assign(inner, keys[-1], self._yaml.load(text))
        return previous

    def start_canary(
        self, version: str, weight: int, digest: str | None, *, before_start: bool = True
    ) -> Self:
        """Set the canary version. Without a digest it is built from the working tree.

        ``before_start`` as for :meth:`pin_stable`.
        """
        pinned = {} if digest is None else {"digest": digest}
        canary = {"version": version, "weight": weight, **pinned, **_before_start_key(before_start)}
        return self._update("canary", canary)

    def start_idle(self, version: str, digest: str | None, *, before_start: bool = True) -> Self:
        """Set the version of the idle color, which has the settings of the service.

        The arguments are those of :meth:`start_canary`.
        """
        pinned = {} if digest is None else {"digest": digest}
        return self._update(
            "idle", {"version": version, **pinned, **_before_start_key(before_start)}
        )

    def switch(self, live: str, digests: Mapping[str, str], *, is_promotion: bool) -> Self:
        """Swap the versions of stable and of the idle color, with their settings.

        ``live`` is the color that is live afterwards. ``digests`` are those of both versions. After
        a promotion, the idle color has a version that can be restored.
        """
        stable, idle = (
            {**self.release[key], "digest": digests[self.release[key]["version"]]}
            for key in ("stable", "idle")
        )
        idle.pop("wasLive", None)
        was_live = {"wasLive": True} if is_promotion else {}
        self._update("stable", idle)._update("idle", {**was_live, **stable})
        return self._update("blueGreen", {**self.release.get("blueGreen", {}), "live": live})

    def set_weight(self, weight: int) -> Self:
        """Set the weight of the canary."""
        return self._update("canary", {**self.release["canary"], "weight": weight})

    def end_canary(self) -> Self:
        """Remove the canary, or the version of the idle color, and the settings of stable.

        Stable then has those of the service.
        """
        for key in ("canary", "idle"):
            if key in self.release:
                _remove(self.release, key)
        if self.stable_settings is not None:
            _remove(self.release["stable"], "settings")
        return self

    def _update(self, track: str, values: Mapping[str, Any]) -> Self:
        if "release" not in self._service:
            _add(self._service, "release", _commented({track: values}))
            return self
        if track not in self.release:
            _add(self.release, track, _commented(values))
            return self
        version = self.release[track]
        for key in version.keys() - values.keys():
            _remove(version, key)
        for key, value in values.items():
            if key not in version:
                _add(version, key, _commented(value))
            elif version[key] != value:
                _assign(version, key, value)
        return self


def _before_start_key(before_start: bool) -> dict[str, bool]:
    return {} if before_start else {"beforeStart": False}


def _at(block: Any, keys: Sequence[str]) -> Any:  # noqa: ANN401
    for key in keys:
        block = block.get(key, _MISSING) if isinstance(block, dict) else _MISSING
    return block


def _value_at(block: Any, keys: Sequence[str]) -> str:  # noqa: ANN401
    for key in keys:
        if not isinstance(block, dict) or key not in block:
            return "none"
        block = block[key]
    return str(block)


@dataclass(frozen=True)
class _Restoration:
    """Restores wanted values in a mapping that is merged over defaults."""

    changed: list[str]
    """Paths of the changed keys."""

    def restore(
        self, block: CommentedMap, key: str, path: Location, default: object, wanted: object
    ) -> None:
        """Change a key so that its merged value is ``wanted``.

        ``path`` is its location in the service.
        """
        current = block.get(key, _MISSING)
        if is_version(path) and current is not _MISSING:
            default = _MISSING  # it is replaced, not merged
        present = [value for value in (current, default) if value is not _MISSING]
        is_merged = current is not _MISSING or not is_version(path)
        if present and is_merged and is_mapping(wanted) and all(map(is_mapping, present)):
            inner: CommentedMap = CommentedMap() if current is _MISSING else current
            defaults = default if is_mapping(default) else {}
            for name in {**defaults, **inner, **wanted}:
                values = (defaults.get(name, _MISSING), wanted.get(name, _MISSING))
                self.restore(inner, name, (*path, name), *values)
            if current is _MISSING and inner:
                _add(block, key, inner)
            return
        merged = default if current is _MISSING else current
        if merged == wanted or (merged is None and wanted is _MISSING):
            return
        self.changed.append(dotted(path))
        if wanted is not _MISSING:
            _assign(block, key, wanted)
        elif default is not _MISSING:
            _assign(block, key, None)
        elif key in block:
            _remove(block, key)


def _without_null_versions(service: Mapping[str, Any]) -> Mapping[str, Any]:
    """The service without the versions that ``null`` has removed from the file it extends."""
    release = {key: one for key, one in service.get("release", {}).items() if one is not None}
    return {**service, "release": release} if "release" in service else service


def _assign(block: CommentedMap, key: str, value: Any) -> None:  # noqa: ANN401
    if key in block and not isinstance(block[key], CommentedMap):
        old = block[key]
        quoted = isinstance(old, ScalarString) and isinstance(value, str)
        block[key] = type(old)(value) if quoted else _commented(value)
        return
    if key in block:
        _remove(block, key)
    _add(block, key, _commented(value))


def _commented(value: Any) -> Any:  # noqa: ANN401
    """Mappings of ruamel.yaml, which can have comments."""
    if isinstance(value, dict):
        return CommentedMap({key: _commented(inner) for key, inner in value.items()})
    if isinstance(value, list | tuple):
        return [_commented(inner) for inner in value]
    return value


# ruamel.yaml attaches the lines after a value, such as the comment of the next section, to that
# value. These functions move them to the new last value of the mapping.


def _add(block: CommentedMap, key: str, value: object) -> None:
    after = _take_lines(*_last(block, next(reversed(block)))) if block else ""
    block[key] = value
    _give_lines(*_last(block, key), after)


def _remove(block: CommentedMap, key: str) -> None:
    keys = list(block)
    at = keys.index(key)
    after = _take_lines(*_last(block, key))
    del block[key]
    if neighbor := keys[at - 1 : at] or keys[at + 1 : at + 2]:
        _give_lines(*_last(block, neighbor[0]), after)


def _last(block: CommentedMap, key: str) -> tuple[CommentedMap, str]:
    """The mapping and key of the last value below ``key``."""
    value = block[key]
    if isinstance(value, CommentedMap) and value and not value.fa.flow_style():
        return _last(value, next(reversed(value)))
    return block, key


def _take_lines(block: CommentedMap, key: str) -> str:
    """Remove and return the lines after a value. A comment on the value's line stays."""
    comments = block.ca.items.get(key)
    if not comments or not comments[2]:
        return ""
    beside, _, lines = comments[2].value.partition("\n")
    if beside:
        comments[2].value = f"{beside}\n"
    else:
        comments[2] = None
    return lines


def _give_lines(block: CommentedMap, key: str, lines: str) -> None:
    if not lines:
        return
    comments = block.ca.items.setdefault(key, [None, None, None, None])
    if comments[2]:
        comments[2].value += lines
    else:
        comments[2] = CommentToken(f"\n{lines}", CommentMark(0), None)
