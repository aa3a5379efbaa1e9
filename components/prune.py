"""Fields that are left out."""

from typing import Any, TypeVar

Fields = TypeVar("Fields")


def prune_none(fields: Fields) -> Fields:
    """``fields`` without those that are ``None``, at every depth.

    The SDK sends ``None`` in a nested field as null. Server-side apply takes that for a value: the
    stack would own the field, and an autoscaler's replicas would be set back.
    """
    return _pruned(fields)


def omit_if_zero(number: int) -> Any:  # noqa: ANN401  # the SDK's types know no None in a nested field
    """``number``, or nothing where the API takes zero for a field that is not there.

    The provider leaves such a field out as soon as all values of its object are known, so an update
    would do another thing than its plan says of a Deployment whose image is not built yet.
    """
    return number or None


def _pruned(value: Any) -> Any:  # noqa: ANN401  # any part of an object
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    return value
