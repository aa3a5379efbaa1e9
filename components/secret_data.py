"""The ``data`` field of a Secret."""

from base64 import b64encode
from collections.abc import Mapping

import pulumi


def secret_data(values: Mapping[str, pulumi.Input[str]]) -> dict[str, pulumi.Output[str]]:
    """Return ``values`` Base64-encoded and marked as secret.

    For ``data``, not ``stringData``: the provider converts ``stringData`` only once its values are
    known, so the update of a Secret with a generated value would differ from its preview.
    """
    return {key: pulumi.Output.secret(value).apply(_encode) for key, value in values.items()}


def _encode(value: str) -> str:
    return b64encode(value.encode()).decode()
