"""What a release command wrote into a stack file, noted until it is deployed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local import files


class Note:
    """The last move of one stack's release, in ``file``.

    A command that was cut off is run again. By the note that is told from a second move: neither
    the stack file nor the stack's history knows what an update was meant to do that did not end.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def write(self, command: str, release: Mapping[str, Any]) -> None:
        """Note that ``command`` moves the stack to ``release``, before the stack file says so."""
        files.write(self._file, json.dumps({"command": command, "release": release}))

    def says(self, command: str, release: Mapping[str, Any]) -> bool:
        """Whether ``command`` wrote ``release``, and no update has succeeded since."""
        try:
            noted: object = json.loads(self._file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        return noted == {"command": command, "release": release}

    def clear(self) -> None:
        """Forget it: it is deployed."""
        self._file.unlink(missing_ok=True)
