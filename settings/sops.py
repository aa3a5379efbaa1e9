"""``sops`` of a secret: a value in a file that sops encrypts."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any

import yaml

from settings import stack_file
from settings.errors import FieldError
from settings.section import Section
from settings.string_formats import StringFormat

_TIMEOUT_SECONDS = 60
"""Longer than a key service takes to answer."""
_UNDECRYPTABLE_VALUE = 25
_MAC_MISMATCH = 51
_NO_KEY = 128
"""Exit codes of sops."""
_EDITED = "it was edited without sops. Restore it and use `sops edit`"
_METADATA = "sops"
"""Key in a file with the recipients and the MAC."""
_ENCRYPTED = "ENC["
"""Beginning of an encrypted value."""
_RECIPIENTS: Mapping[str, str] = {
    "age": "recipient",
    "kms": "arn",
    "gcp_kms": "resource_id",
    "azure_kv": "vault_url",
    "hc_vault": "key_name",
    "pgp": "fp",
}
"""Lists of recipients in the metadata, and the key with the name of one."""
_SHOWN = 5

SopsFileName = Annotated[
    str,
    StringFormat(
        "a .yaml, .yml or .json file in the folder of Pulumi.yaml or below, like secrets.prod.yaml",
        r"(?!\.{1,2}/)[A-Za-z0-9._-]+(/(?!\.{1,2}/)[A-Za-z0-9._-]+)*\.(yaml|yml|json)",
    ),
]
SopsKey = Annotated[
    str,
    StringFormat(
        "the keys of a value, joined by dots, like database.password",
        r"[A-Za-z0-9_/-]+(\.[A-Za-z0-9_/-]+)*",
    ),
]


class SopsSource(Section):
    """Value in a file that sops encrypts. The file is decrypted in memory."""

    file: SopsFileName
    """Path, relative to the folder of Pulumi.yaml."""
    key: SopsKey
    """Keys of the value in the file, joined by dots."""


class SopsFile:
    """A file that sops encrypts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._path = stack_file.PROJECT_FOLDER / name

    @property
    def recipients(self) -> str:
        """The recipients in the file, at most five. Empty if it cannot be read."""
        content, _ = self._content()
        metadata = (content or {}).get(_METADATA, {})
        names = [
            str(one.get(name))
            for kind, name in _RECIPIENTS.items()
            for one in metadata.get(kind) or ()
        ]
        return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")

    def error(self, source: SopsSource) -> FieldError | None:
        """The error of a source in this file that is found without a key."""
        content, error = self._content()
        if content is None:
            return error
        value = _find(content, source.key)
        if value is None:
            keys = [*_paths({key: one for key, one in content.items() if key != _METADATA})]
            shown = ", ".join(keys[:_SHOWN]) + (", …" if len(keys) > _SHOWN else "")
            return FieldError("key", source.key, f"a key of a value in {self.name}: {shown}")
        if not str(value).startswith(_ENCRYPTED):
            text = f"a value that sops encrypts: in {self.name} it is plain text"
            return FieldError("key", source.key, text)
        return None

    def decrypted(self, environment: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the decrypted content. Raises :class:`ValueError` with the reason."""
        program = shutil.which("sops", path=environment.get("PATH"))
        if program is None:
            raise ValueError("there is no sops in PATH: install it")
        try:
            done = subprocess.run(
                [program, "--decrypt", "--output-type", "json", str(self._path)],
                cwd=stack_file.PROJECT_FOLDER,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"sops did not end within {_TIMEOUT_SECONDS} s") from None
        if done.returncode == 0:
            return json.loads(done.stdout)
        if done.returncode == _MAC_MISMATCH:
            raise ValueError(f"its MAC does not match: {_EDITED}")
        if done.returncode == _UNDECRYPTABLE_VALUE:
            raise ValueError(f"one of its values is plain text or was changed: {_EDITED}")
        if done.returncode == _NO_KEY:
            raise ValueError(
                f"the key of none of its recipients ({self.recipients}) is available: set "
                "SOPS_AGE_KEY_FILE, or the credentials of the key service"
            )
        # The error message of sops can quote a value.
        raise ValueError(
            f"sops ended with exit code {done.returncode}: `sops edit {self.name}` shows the reason"
        )

    def _content(self) -> tuple[dict[str, Any] | None, FieldError | None]:
        """The encrypted content, or the error of its file."""
        try:
            text = self._path.read_text()
            # sops indents JSON with tabs, which YAML does not allow.
            content = json.loads(text) if self._path.suffix == ".json" else yaml.safe_load(text)
        except FileNotFoundError:
            return None, FieldError("file", self.name, "an existing file")
        except (OSError, ValueError, yaml.YAMLError):
            # Their messages can quote the file.
            return None, FieldError("file", self.name, "a readable YAML or JSON file")
        if not isinstance(content, dict) or not isinstance(content.get(_METADATA), dict):
            text = "a file that sops has encrypted: this one is plain text"
            return None, FieldError("file", self.name, text)
        return content, None


def source_error(source: SopsSource) -> FieldError | None:
    """The error of a source that is found without a key. ``None``: there is none."""
    return SopsFile(source.file).error(source)


class SopsValues:
    """Decrypted values. Each file is decrypted once.

    ``environment`` has the variables of sops, with those for its keys.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._decrypted = cache(lambda name: SopsFile(name).decrypted(environment))

    def get(self, source: SopsSource) -> str:
        """Return the value of a source. Raises :class:`ValueError` with the message."""
        if error := source_error(source):
            raise ValueError(str(error))
        try:
            value = _find(self._decrypted(source.file), source.key)
        except ValueError as error:
            raise ValueError(
                f'file is "{source.file}", which cannot be decrypted: {error}'
            ) from None
        text = value if isinstance(value, str) else json.dumps(value)
        if not text or value is None:
            raise ValueError(
                f'key is "{source.key}": use a value in {source.file} that is not empty'
            )
        return text


def _find(content: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401
    """The value at a path. ``None``: there is none, or it is a mapping or a list."""
    keys = path.split(".")
    node: Any = None if keys[0] == _METADATA else content
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return None if isinstance(node, dict | list) else node


def _paths(node: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in node.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _paths(value, f"{path}.")
        elif not isinstance(value, list):
            yield path
