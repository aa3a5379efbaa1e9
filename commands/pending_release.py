"""The last release change that is written to the stack file and not yet deployed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local import files


class PendingRelease:
    """Record of the last ``promote`` or ``rollback``, kept in ``file`` until an update succeeds.

    It lets a user run an interrupted command again without a second change of the release: neither
    the stack file nor the history of the stack has the purpose of an update that did not end.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def save(self, command: str, release: Mapping[str, Any]) -> None:
        """Record that ``command`` sets ``release``. Call it before the stack file is written."""
        files.write(self._file, json.dumps({"command": command, "release": release}))

    def matches(self, command: str, release: Mapping[str, Any]) -> bool:
        """Return True if ``command`` set ``release`` and no update has succeeded since."""
        try:
            saved: object = json.loads(self._file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        return saved == {"command": command, "release": release}

    def clear(self) -> None:
        """Delete the record: the release is deployed."""
        self._file.unlink(missing_ok=True)
