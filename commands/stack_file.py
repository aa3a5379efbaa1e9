"""Editing of stack files. Comments, order and quotes are preserved."""

import re
from io import StringIO
from typing import Any, Self

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import CommentMark, YAMLError
from ruamel.yaml.scalarstring import ScalarString
from ruamel.yaml.tokens import CommentToken

from local import files
from settings.stack_file import path_of


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
    try:
        return _has_secret(YAML(typ="safe", pure=True).load(text))
    except YAMLError:
        return True


def _has_secret(node: object) -> bool:
    if isinstance(node, dict):
        return "secure" in node or any(_has_secret(value) for value in node.values())
    return isinstance(node, list) and any(_has_secret(value) for value in node)


class StackFile:
    """A stack file. ``save`` writes it atomically."""

    def __init__(self, stack: str) -> None:
        self.path = path_of(stack)
        self._yaml = YAML()
        self._yaml.preserve_quotes = True
        self._yaml.width = 4096
        self._yaml.indent(mapping=2, sequence=4, offset=2)
        self._document: Any = self._yaml.load(self.path.read_text())

    @property
    def services(self) -> CommentedMap:
        """The value of ``slipway:services``. It is added if the file has no service."""
        config = self._document["config"]
        if not config.get("slipway:services"):
            config["slipway:services"] = CommentedMap()
        return config["slipway:services"]

    @property
    def text(self) -> str:
        """Content of the file with the changes."""
        text = StringIO()
        self._yaml.dump(self._document, text)
        return text.getvalue()

    def add_service(self, name: str, entry: str) -> None:
        """Add a service. ``entry`` is its text in the file, with the indentation and comments."""
        added = self._yaml.load(f"config:\n  slipway:services:\n{entry}")
        _add(self.services, name, added["config"]["slipway:services"][name])

    def save(self) -> None:
        """Write the file."""
        files.write(self.path, self.text)


class ReleaseFile(StackFile):
    """The key ``release`` of a service in a stack file."""

    def __init__(self, stack: str, service: str) -> None:
        super().__init__(stack)
        self._service: CommentedMap = self.services[service]

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

    def pin(self, track: str, digest: str) -> Self:
        """Set the digest of a track's version."""
        return self._update(track, {**self.release[track], "digest": digest})

    def pin_stable(self, version: str, digest: str, *, before_start: bool = True) -> Self:
        """Set the stable version and its digest.

        Without ``before_start``, the Job `release.beforeStart` does not run for the version.
        """
        return self._update(
            "stable", {"version": version, "digest": digest, **_before_start_key(before_start)}
        )

    def start_canary(
        self, version: str, weight: int, digest: str | None, *, before_start: bool = True
    ) -> Self:
        """Set the canary version. Without a digest it is built from the working tree.

        ``before_start`` as for :meth:`pin_stable`.
        """
        pinned = {} if digest is None else {"digest": digest}
        canary = {"version": version, "weight": weight, **pinned, **_before_start_key(before_start)}
        return self._update("canary", canary)

    def set_weight(self, weight: int) -> Self:
        """Set the weight of the canary."""
        return self._update("canary", {**self.release["canary"], "weight": weight})

    def end_canary(self) -> Self:
        """Remove the canary version."""
        if "canary" in self.release:
            _remove(self.release, "canary")
        return self

    def _update(self, track: str, values: dict[str, Any]) -> Self:
        if "release" not in self._service:
            _add(self._service, "release", CommentedMap({track: CommentedMap(values)}))
            return self
        if track not in self.release:
            _add(self.release, track, CommentedMap(values))
            return self
        version = self.release[track]
        for key in version.keys() - values.keys():
            _remove(version, key)
        for key, value in values.items():
            if key not in version:
                _add(version, key, value)
            elif isinstance(old := version[key], ScalarString):
                version[key] = type(old)(value)  # keeps the quotes
            else:
                version[key] = value
        return self


def _before_start_key(before_start: bool) -> dict[str, bool]:
    return {} if before_start else {"beforeStart": False}


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
