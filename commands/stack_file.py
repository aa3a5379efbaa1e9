"""A stack's configuration file, edited in place: comments, order and quotes stay as they are."""

import re
from collections.abc import MutableMapping
from io import StringIO
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML

from commands.files import write_whole

PROJECT = Path(__file__).resolve().parent.parent


def path_of(stack: str) -> Path:
    """Where the configuration of ``stack`` is kept."""
    return PROJECT / f"Pulumi.{stack}.yaml"


def forget_salt(stack: str) -> None:
    """Take back the salt that Pulumi writes into a stack file, unless a secret there needs it.

    The state has it too. In the file it would tie the stack to one person's passphrase.
    """
    path = path_of(stack)
    text = path.read_text()
    without = re.sub(r"(?m)^encryptionsalt:.*(?:\n[ \t]+.*)*\n?", "", text)
    if without != text and not re.search(r"(?m)^\s*(?:- )?secure:", text):
        write_whole(path, without)


class StackFile:
    """The release that a stack file asks for.

    Only the ``slipway:release`` key is ever changed. ``save`` replaces the file in one step, so an
    interrupted command leaves either the old file or the new one.
    """

    def __init__(self, stack: str) -> None:
        self.path = path_of(stack)
        self._yaml = YAML()
        self._yaml.preserve_quotes = True
        self._yaml.width = 4096
        self._yaml.indent(mapping=2, sequence=4, offset=2)
        self._document: Any = self._yaml.load(self.path.read_text())

    @property
    def release(self) -> MutableMapping[str, Any]:
        """The ``slipway:release`` block, to be read and changed."""
        return self._document["config"].setdefault("slipway:release", {})

    def pin_stable(self, version: str, digest: str) -> Self:
        """Let every request that no canary takes reach ``version``, exactly as published."""
        self.release["stable"] = {"version": version, "digest": digest}
        return self

    def start_canary(self, version: str, weight: int, digest: str | None) -> Self:
        """Send ``weight`` percent to ``version``; without a digest it is built from ``app/``."""
        canary: dict[str, Any] = {"version": version, "weight": weight}
        if digest is not None:
            canary["digest"] = digest
        self.release["canary"] = canary
        return self

    def end_canary(self) -> Self:
        """Send everything to stable."""
        self.release.pop("canary", None)
        return self

    def save(self) -> None:
        """Write the file."""
        text = StringIO()
        self._yaml.dump(self._document, text)
        write_whole(self.path, text.getvalue())
