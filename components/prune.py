"""Optional fields that are omitted from an object."""

from typing import Any, TypeVar

Fields = TypeVar("Fields")


def prune_none(fields: Fields) -> Fields:
    """Return ``fields`` without entries that are ``None``, at every depth.

    The SDK sends ``None`` in a nested field as null, which server-side apply treats as a value:
    the stack would own the field and, for example, reset the replicas that an HPA has set.
    """
    return _prune(fields)


def omit_if_zero(number: int) -> Any:  # noqa: ANN401  # the SDK's types allow no None in nested fields
    """Return ``number``, or ``None`` for a field whose zero the API server does not store.

    The provider drops such a zero once all inputs of the object are known, so the update of a
    Deployment whose image is not built yet would differ from its preview.
    """
    return number or None


def _prune(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _prune(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_prune(item) for item in value]
    return value
