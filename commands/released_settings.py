"""Settings of a release from the history of a stack, which has no encrypted values."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from settings.defaults import is_encrypted

_OMITTED = object()
Path = tuple[str, ...]


class ReleasedSettings:
    """Settings of an earlier release as a stack file may have them: without decrypted secrets.

    ``decrypted`` are the settings in the history, ``current`` those of the stack file, whose
    encrypted values the result has. It omits a secret that the stack file has no longer.
    """

    values: Mapping[str, Any]
    omitted: list[str]
    """Paths of the omitted secrets."""

    def __init__(self, decrypted: Mapping[str, Any], current: Mapping[str, Any]) -> None:
        self.omitted = []
        self.values = self._encrypted(decrypted, current, ())

    def _encrypted(self, value: Any, current: Any, path: Path) -> Any:  # noqa: ANN401
        if is_encrypted(current):
            return current
        if _is_secret(value, path):
            self.omitted.append(".".join(path))
            return _OMITTED
        if isinstance(value, dict):
            others = current if isinstance(current, dict) else {}
            inner = {
                key: self._encrypted(one, others.get(key), (*path, key))
                for key, one in value.items()
            }
            kept = {key: one for key, one in inner.items() if one is not _OMITTED}
            has_source = path[:-1] != ("secrets",) or "value" not in value or "value" in kept
            return kept if has_source and (kept or not value) else _OMITTED
        if isinstance(value, list):
            others = current[: len(value)] if isinstance(current, list) else []
            return [self._encrypted(*pair, path) for pair in zip_longest(value, others)]
        return value


def _is_secret(value: object, path: Path) -> bool:
    """True for a decrypted secret of ``secrets`` or of ``env``, also of a container."""
    if not isinstance(value, str):
        return False
    match path:
        case ("secrets", _) | ("secrets", _, "value") | (*_, "env", _, "secret"):
            return True
    return False
