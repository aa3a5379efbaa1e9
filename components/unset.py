"""Fields that are left out."""

from typing import Any, TypeVar

Fields = TypeVar("Fields")


def without_unset(fields: Fields) -> Fields:
    """``fields`` without those that are ``None``, at every depth.

    The SDK sends ``None`` in a nested field as null. Server-side apply takes that for a value: the
    stack would own the field, and an autoscaler's replicas would be set back.
    """
    return _pruned(fields)


def _pruned(value: Any) -> Any:  # noqa: ANN401  # any part of an object
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    return value
